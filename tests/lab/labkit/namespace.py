"""Hosts: each a network namespace with a name that tells who made it."""

import itertools
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from .process import Process, run

PREFIX = "trellis-lab"
_numbers = itertools.count(1)

# No duplicate address detection (an address works at once), no router discovery.
QUIET_IPV6 = [
    "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
    "net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0",
    "net.ipv6.conf.default.router_solicitations=0",
]


def _owned() -> list[tuple[str, int]]:
    """Every namespace of any lab, with the process that made it."""
    listing = run(["ip", "netns", "list"]).stdout
    names = [line.split()[0] for line in listing.splitlines() if line.startswith(PREFIX + "-")]
    return [(name, int(name.split("-")[2])) for name in names]


def leftovers(pid: int | None = None) -> list[str]:
    """Namespaces of labs that nobody will remove: of process `pid`, or of processes that ended."""
    if pid is not None:
        return [name for name, owner in _owned() if owner == pid]
    return [name for name, owner in _owned() if not Path(f"/proc/{owner}").exists()]


def sweep() -> list[str]:
    """Removes what killed runs left behind; returns the names of the namespaces."""
    names = leftovers()
    for name in names:
        _remove(name)
    return names


def _remove(name: str) -> None:
    """Ends what still runs in a namespace of ours, by pid, and deletes it."""
    pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    for pid in pids.stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "delete", name], capture_output=True)


class Host:
    """A network namespace with its loopback up, and what runs in it."""

    def __init__(self, name: str, directory: Path, *, ipv6: bool = True):
        self.name = name
        self.directory = directory
        self.namespace = f"{PREFIX}-{os.getpid()}-{next(_numbers)}-{name}"
        self.processes: list[Process] = []
        self._at_close: list[Callable[[], object]] = []
        run(["ip", "netns", "add", self.namespace])
        try:
            self.sysctl(*(QUIET_IPV6 if ipv6 else ["net.ipv6.conf.all.disable_ipv6=1",
                                                   "net.ipv6.conf.default.disable_ipv6=1"]))
            run(["ip", "-n", self.namespace, "link", "set", "lo", "up"])
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Host({self.name})"

    def wrap(self, argv: Sequence[str]) -> list[str]:
        """The same command inside the namespace. It keeps its pid."""
        return ["ip", "netns", "exec", self.namespace, *map(str, argv)]

    def run(self, *argv: str, timeout: float = 30, check: bool = True, input: str | None = None,
            env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return run(self.wrap(argv), timeout=timeout, check=check, input=input, env=env)

    def ip(self, *arguments: str, check: bool = True) -> str:
        return run(["ip", "-n", self.namespace, *map(str, arguments)], check=check).stdout

    def sysctl(self, *settings: str) -> None:
        self.run("sysctl", "-qw", *settings)

    def spawn(self, *argv: str, name: str | None = None, env: dict[str, str] | None = None,
              separate_stdout: bool = False) -> Process:
        """Starts a program that runs until the lab closes; logs to DIRECTORY/HOST.NAME.log."""
        base = f"{self.name}.{name or Path(argv[0]).name}"
        log = self.directory / f"{base}.log"
        for number in itertools.count(2):
            if not log.exists():
                break
            log = self.directory / f"{base}.{number}.log"
        stdout = log.with_suffix(".out") if separate_stdout else None
        process = Process(self.wrap(argv), log, env=env, stdout=stdout)
        self.processes.append(process)
        return process

    def forward(self) -> None:
        """Makes the host a router."""
        self.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def route(self, network: str, via: str) -> None:
        self.ip("-6" if ":" in network else "-4", "route", "replace", network, "via", via)

    def addresses(self, interface: str) -> list[str]:
        """Addresses with prefix length, without link-local ones."""
        words = self.ip("-o", "addr", "show", "dev", interface).split()
        found = [b for a, b in zip(words, words[1:]) if a in ("inet", "inet6")]
        return [address for address in found if not address.startswith("fe80:")]

    def has_interface(self, name: str) -> bool:
        return self.run("ip", "link", "show", "dev", name, check=False).returncode == 0

    def on_close(self, step: Callable[[], object]) -> None:
        """Adds a step to what undoes the host. It runs before the host's programs are stopped."""
        self._at_close.append(step)

    def close(self) -> None:
        """Undoes the host. A step that fails does not keep the others from being done."""
        with ExitStack() as stack:
            stack.callback(_remove, self.namespace)
            for process in self.processes:
                stack.callback(process.stop, grace=2)
            for step in self._at_close:
                stack.callback(step)
