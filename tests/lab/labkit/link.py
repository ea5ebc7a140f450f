"""Links between hosts: veth pairs with addresses of both families."""

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

from .namespace import Host
from .process import run

_numbers = itertools.count(1)

OFFLOADS = Path(__file__).with_name("offloads.py")


@dataclass(frozen=True)
class End:
    """One end of a link: where a host is attached, and its addresses without prefix length."""

    host: Host
    interface: str
    v4: str
    v6: str


@dataclass(frozen=True)
class Link:
    """Two attached hosts. `v4` and `v6` are the networks of the link."""

    ends: tuple[End, End]
    v4: str
    v6: str

    def end(self, host: Host) -> End:
        return next(end for end in self.ends if end.host is host)

    address = end

    def other(self, host: Host) -> End:
        return next(end for end in self.ends if end.host is not host)

    def down(self, host: Host) -> None:
        """Unplugs the host."""
        self.end(host).host.ip("link", "set", self.end(host).interface, "down")

    def up(self, host: Host) -> None:
        self.end(host).host.ip("link", "set", self.end(host).interface, "up")


def veth(a: Host, b: Host, *, offload: bool, mtu: int = 1500) -> tuple[str, str]:
    """Makes a veth pair between two hosts, both ends up; returns the interfaces' names."""
    number = next(_numbers)
    names = (f"v{number}a", f"v{number}b")
    run(["ip", "link", "add", names[0], "mtu", str(mtu), "netns", a.namespace, "type", "veth",
         "peer", "name", names[1], "mtu", str(mtu), "netns", b.namespace])
    for host, name in zip((a, b), names):
        if not offload:
            disable_offloads(host, name)
        host.ip("link", "set", name, "up")
    return names


def disable_offloads(host: Host, interface: str) -> None:
    host.run(sys.executable, "-I", str(OFFLOADS), interface)


def subnet() -> tuple[str, str]:
    """A fresh pair of networks for a link, as prefixes to which a host number is appended."""
    number = next(_numbers)
    return f"10.77.{number % 256}.", f"2001:db8:{number:x}::"


def assign(host: Host, interface: str, v4: str, v6: str) -> None:
    host.ip("addr", "add", f"{v4}/24", "dev", interface)
    host.ip("addr", "add", f"{v6}/64", "dev", interface, "nodad")
