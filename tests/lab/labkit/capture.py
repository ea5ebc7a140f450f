"""Captures of an interface, from before anything runs until they are stopped."""

import os
import re
import signal
import sys
import time
from pathlib import Path

from . import pcap
from .mark import ETHERTYPE
from .namespace import Host
from .process import wait_until

BUFFER_KIB = 16 * 1024
MARK = Path(__file__).with_name("mark.py")
QUIET_SECONDS = 0.3


class Capture:
    """tcpdump on an interface, both directions, whole packets, into `path`.

    It captures already when the constructor returns.
    """

    def __init__(self, host: Host, interface: str, path: Path, expression: str = ""):
        self.path = path
        self._host = host
        self._interface = interface
        if expression:
            expression = f"({expression}) or ether proto {ETHERTYPE}"
        self._process = host.spawn(
            "tcpdump", "-i", interface, "-w", str(path), "-U", "--immediate-mode", "-s", "0",
            "-B", str(BUFFER_KIB), "-n", "-Z", "root", *([expression] if expression else []),
            name=f"tcpdump-{interface}")
        self._process.wait_for(r"listening on")

    def packets(self) -> list[pcap.Packet]:
        """All IP packets that were seen so far."""
        return list(pcap.packets(self.path))

    def datagrams(self) -> list[pcap.Datagram]:
        """All UDP datagrams that were seen so far."""
        return list(pcap.datagrams(self.path))

    def contains(self, needle: bytes) -> bool:
        """Whether any frame holds these bytes."""
        return any(needle in frame for _, _, frame in pcap.frames(self.path.read_bytes()))

    def stop(self) -> "Capture":
        """Ends the capture, with all that it saw written; fails if the kernel dropped packets."""
        if self._process.running:
            self._catch_up()
            self._process.signal(signal.SIGINT)
            self._process.wait(10)
        dropped = self.dropped()
        if dropped:
            raise AssertionError(f"{self.path}: the capture lost {dropped} packets")
        return self

    def _catch_up(self) -> None:
        """Waits until tcpdump has written what passed so far: at its end it does not look again.

        A frame that we send ourselves shows it. Where that is not possible (the interface is down,
        or carries no Ethernet) a file that does not grow must do.
        """
        mark = os.urandom(16)
        sent = self._host.run(sys.executable, "-I", str(MARK), self._interface, mark.hex(),
                              check=False) if self._is_ethernet() else None
        if sent and sent.returncode == 0:
            wait_until(lambda: mark in self.path.read_bytes()[-1_000_000:], 10,
                       f"{self.path}: tcpdump at the present")
            return
        size = -1
        while size != (size := self.path.stat().st_size):
            time.sleep(QUIET_SECONDS)

    def _is_ethernet(self) -> bool:
        shown = self._host.ip("-o", "link", "show", "dev", self._interface, check=False)
        return "link/ether" in shown

    def dropped(self) -> int:
        wait_until(lambda: "dropped by kernel" in self._process.text(), 5, "tcpdump's summary")
        return int(re.search(r"(\d+) packets? dropped by kernel", self._process.text())[1])
