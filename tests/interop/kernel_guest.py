"""A virtual machine that runs a Linux kernel, and hosts on it that the lab can use.

    guest = Guest(directory)                 # boots; in its own namespace, behind a router
    host = guest.host("bob")                 # a network namespace in the virtual machine
    link = lab.link(alice, guest.router)     # alice reaches guest.v4 and guest.v6 through it
    device = KernelDevice(host, "wg0")       # the kernel's WireGuard

Commands go over a serial line (kernel_control.sh), one at a time, from any number of threads.
"""

import base64
import gzip
import itertools
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kernel_image import TOOLS, WANTED_TOOLS, image
from labkit import CommandFailed, Host, Link, Process, TimedOut, wait_until
from labkit.wireguard import Device, unique_interface

BOOT_SECONDS = 120  # some 4 when the machine is idle
MEMORY_MEGABYTES = 256
TAP = "tap0"
NETWORK4, NETWORK6 = "10.79.0.", "2001:db8:79::"
INTERFACE = "eth0"


class Guest:
    """A running virtual machine. `router` is the lab's host at the other end of its cable."""

    v4, v6 = f"{NETWORK4}2", f"{NETWORK6}2"

    def __init__(self, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.image = image()
        self.directory = directory
        self.router = Host("kernel", directory)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        try:
            started = time.monotonic()
            self._boot()
            self.boot_seconds = time.monotonic() - started
            self._set_clock()
            self.run("ip", "link", "set", INTERFACE, "up")
            self.address("add", self.v4, self.v6)
            self.run("ip", "route", "add", "default", "via", f"{NETWORK4}1")
            self.run("ip", "-6", "route", "add", "default", "via", f"{NETWORK6}1")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.router.close()

    def address(self, change: str, *addresses: str) -> None:
        """Adds or deletes ("add", "del") addresses of the machine itself."""
        for address in addresses:
            length, words = (64, ["nodad"]) if ":" in address else (24, [])
            self.run("ip", "addr", change, f"{address}/{length}", "dev", INTERFACE,
                     *(words if change == "add" else []))

    def host(self, name: str) -> "GuestHost":
        return GuestHost(self, name)

    def reach(self, host: Host, link: Link) -> None:
        """Lets a host of the lab, joined to the router by that link, reach the machine."""
        router = link.end(self.router)
        host.route(f"{NETWORK4}0/24", router.v4)
        host.route(f"{NETWORK6}/64", router.v6)

    def run(self, *argv: str, timeout: float = 30, check: bool = True, input: str | None = None
            ) -> subprocess.CompletedProcess[str]:
        """Runs a command on the machine itself; stdout and stderr come as one."""
        command = joined(argv)
        if input is not None:
            command = f"printf %s {shlex.quote(input)} | {command}"
        status, output = self.shell(command, timeout)
        if check and status != 0:
            raise CommandFailed(f"{command}: exit status {status}\n{output}")
        return subprocess.CompletedProcess(argv, status, output, "")

    def ip(self, *arguments: str, check: bool = True) -> str:
        return self.run("ip", *arguments, check=check).stdout

    def shell(self, command: str, timeout: float = 30) -> tuple[int, str]:
        """Status and output of a command for a shell."""
        with self._lock:
            number = next(self._numbers)
            line = f"{number} {base64.b64encode(command.encode()).decode()}\n"
            self._control.sendall(line.encode())
            answered, status, output = self._line(timeout, command).split(" ")
            if int(answered) != number:
                raise AssertionError(f"answer {answered} to command {number}: {command}")
        return int(status), gzip.decompress(base64.b64decode(output)).decode(errors="replace")

    def _boot(self) -> None:
        self.router.forward()
        self.router.ip("tuntap", "add", "dev", TAP, "mode", "tap")
        self.router.ip("addr", "add", f"{NETWORK4}1/24", "dev", TAP)
        self.router.ip("addr", "add", f"{NETWORK6}1/64", "dev", TAP, "nodad")
        self.router.ip("link", "set", TAP, "up")
        control = self.directory / "control"
        self._machine = self._start(control)
        self._control = socket.socket(socket.AF_UNIX)
        self._received = b""
        self._machine.wait_for(control.exists)
        self._control.connect(str(control))  # the machine waits for it
        while (line := self._line(BOOT_SECONDS, "boot")) != "ready":
            if not self._machine.running:
                raise CommandFailed(f"the virtual machine: {line}")

    def _start(self, control: Path) -> Process:
        console = self.directory / "kernel.console"
        # Without KVM: it starts in seconds as well, and KVM inside a virtual machine may hang.
        argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "1",
                "-m", str(MEMORY_MEGABYTES), "-nodefaults", "-no-reboot", "-display", "none",
                "-kernel", self.image.kernel, "-initrd", self.image.root,
                "-append", "console=ttyS0 panic=-1 mitigations=off quiet",
                "-serial", f"file:{console}",
                "-chardev", f"socket,id=control,path={control},server=on,wait=on",
                "-serial", "chardev:control",
                "-netdev", f"tap,id=net,ifname={TAP},script=no,downscript=no",
                "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"]
        return self.router.spawn(*map(str, argv), name="qemu")

    def _set_clock(self) -> None:
        """To the time of here, as exactly as a command is quick."""
        time.sleep(1 - time.time() % 1)
        self.run("date", "-s", f"@{round(time.time())}")

    def _line(self, timeout: float, what: str) -> str:
        """The next line that the machine says."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._received:
            self._control.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                part = self._control.recv(1 << 16)
            except TimeoutError:
                raise TimedOut(f"the virtual machine: {what}: not within {timeout} s") from None
            if not part:
                raise CommandFailed(f"the virtual machine ended\n{self._machine.text()}")
            self._received += part
        line, self._received = self._received.split(b"\n", 1)
        return line.decode().strip()


def joined(argv: Sequence[str]) -> str:
    """A command for the machine's shell, which prefers what busybox has to what is in $PATH."""
    words = [str(word) for word in argv]
    if words[0] in (*TOOLS, *WANTED_TOOLS):
        words[0] = f"/tools/{words[0]}"
    return shlex.join(words)


class GuestProcess:
    """A program that runs in the machine, with the face of labkit's Process."""

    def __init__(self, guest: Guest, argv: list[str], log: str):
        self.argv = argv
        self._guest = guest
        self._log = log
        command = f"(exec {joined(argv)}) >{log} 2>&1 </dev/null & echo $!"
        self.pid = int(guest.shell(command)[1])

    @property
    def running(self) -> bool:
        return self._guest.shell(f"kill -0 {self.pid}")[0] == 0

    def output(self) -> str:
        return self._guest.shell(f"cat {self._log}")[1]

    text = output

    def wait_for(self, what: str, timeout: float = 10) -> None:
        wait_until(lambda: what in self.output(), timeout, what, 0.1)

    def signal(self, number: int) -> None:
        self._guest.shell(f"kill -{int(number)} {self.pid}")

    def wait(self, timeout: float = 10) -> None:
        wait_until(lambda: not self.running, timeout, shlex.join(self.argv), 0.1)

    def stop(self, grace: float = 5) -> None:
        if self.running:
            self.signal(signal.SIGTERM)
            self.wait(grace)


class GuestHost:
    """A network namespace in the machine, with the face of labkit's Host."""

    def __init__(self, guest: Guest, name: str):
        self.guest = guest
        self.name = name
        self.namespace = unique_interface("ns")
        self._numbers = itertools.count(1)
        self._at_close: list[Callable[[], object]] = []
        guest.run("ip", "netns", "add", self.namespace)
        self.ip("link", "set", "lo", "up")

    def __repr__(self) -> str:
        return f"GuestHost({self.name})"

    def run(self, *argv: str, **options) -> subprocess.CompletedProcess[str]:
        return self.guest.run("ip", "netns", "exec", self.namespace, *argv, **options)

    def ip(self, *arguments: str, check: bool = True) -> str:
        return self.guest.run("ip", "-n", self.namespace, *arguments, check=check).stdout

    def has_interface(self, name: str) -> bool:
        return self.run("ip", "link", "show", "dev", name, check=False).returncode == 0

    def spawn(self, *argv: str, name: str | None = None, separate_stdout: bool = False
              ) -> GuestProcess:
        """Starts a program. What it prints is all in one file."""
        log = f"/tmp/{self.namespace}.{next(self._numbers)}.{name or argv[0]}"
        process = GuestProcess(
            self.guest, ["ip", "netns", "exec", self.namespace, *map(str, argv)], log)
        self.on_close(process.stop)
        return process

    def on_close(self, step: Callable[[], object]) -> None:
        self._at_close.append(step)

    def close(self) -> None:
        for step in reversed(self._at_close):
            step()
        self.guest.run("ip", "netns", "delete", self.namespace)


class KernelDevice(Device):
    """The kernel's WireGuard: born with its socket on the machine itself, then moved to a host."""

    def __init__(self, host: GuestHost, name: str | None = None):
        self.host = host
        self.name = name or unique_interface()
        guest = host.guest
        guest.run("ip", "link", "add", self.name, "type", "wireguard")
        guest.run("ip", "link", "set", self.name, "netns", host.namespace)
        host.on_close(self.stop)

    def stop(self) -> int:
        self.host.ip("link", "del", self.name, check=False)
        return 0
