"""Captures of an interface, from before anything runs until they are stopped."""

import re
import signal
from pathlib import Path

from . import pcap
from .namespace import Host
from .process import wait_until

BUFFER_KIB = 16 * 1024


class Capture:
    """tcpdump on an interface, both directions, whole packets, into `path`.

    It captures already when the constructor returns.
    """

    def __init__(self, host: Host, interface: str, path: Path, expression: str = ""):
        self.path = path
        self._process = host.spawn(
            "tcpdump", "-i", interface, "-w", str(path), "-U", "--immediate-mode", "-s", "0",
            "-B", str(BUFFER_KIB), "-n", "-Z", "root", *expression.split(),
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
            self._process.signal(signal.SIGINT)
            self._process.wait(10)
        dropped = self.dropped()
        if dropped:
            raise AssertionError(f"{self.path}: the capture lost {dropped} packets")
        return self

    def dropped(self) -> int:
        wait_until(lambda: "dropped by kernel" in self._process.text(), 5, "tcpdump's summary")
        return int(re.search(r"(\d+) packets? dropped by kernel", self._process.text())[1])
