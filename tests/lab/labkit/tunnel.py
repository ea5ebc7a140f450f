"""Two user-space WireGuard devices that are each other's peer."""

from dataclasses import dataclass

from . import wireguard
from .link import Link
from .measure import ping
from .namespace import Host
from .wireguard import Device, KeyPair, endpoint, key_pair

PORTS = {"alice": 51820, "bob": 51821}
INNER4 = {"alice": "10.9.0.1", "bob": "10.9.0.2"}
INNER6 = {"alice": "fd09::1", "bob": "fd09::2"}


@dataclass
class Side:
    """One end of a tunnel."""

    host: Host
    device: Device
    keys: KeyPair
    port: int
    inner4: str
    inner6: str
    outer4: str
    outer6: str

    @property
    def allowed(self) -> tuple[str, ...]:
        return (f"{self.inner4}/32", f"{self.inner6}/128")

    def outer(self, family: str) -> str:
        return endpoint(self.outer4 if family == "v4" else self.outer6, self.port)

    def peer(self, other: "Side") -> wireguard.ShownPeer:
        return self.device.show().peers[other.keys.public]


def side(host: Host, link: Link, device: Device) -> Side:
    """An identified device that is up, without peers."""
    end = link.end(host)
    return identified(host, device, end.v4, end.v6, PORTS[host.name])


def identified(host: Host, device: Device, outer4: str, outer6: str, port: int) -> Side:
    """The same with the addresses at which others reach it."""
    made = Side(host, device, key_pair(), port, INNER4[host.name], INNER6[host.name], outer4,
                outer6)
    begin(made)
    return made


def begin(made: Side) -> None:
    """Gives a new device its key, port and addresses."""
    made.device.identify(made.keys, made.port)
    made.device.bring_up(f"{made.inner4}/24", f"{made.inner6}/64")


def join(first: Side, second: Side, family: str = "v4", psk: str | None = None, **options) -> None:
    """Makes them peers. Only `first` knows an endpoint, so it must begin."""
    second.device.add_peer(first.keys.public, allowed=first.allowed, psk=psk)
    first.device.add_peer(second.keys.public, allowed=second.allowed, psk=psk,
                          endpoint=second.outer(family), **options)


def assert_passes(first: Side, second: Side, *, count: int = 5) -> None:
    """Pings between them answer, both ways, both inner families, small and full-sized."""
    for a, b in ((first, second), (second, first)):
        for address in (b.inner4, b.inner6):
            for size in (56, 1372):  # 1420 bytes with the headers of v6
                # One more: for the last answer ping waits two round trips only.
                seen = ping(a.host, address, count=count + 1, interval=0.02, size=size)
                lost = [n for n in seen.missing if n <= count]
                assert lost == [], (a.host, address, size, lost)


def converse(first: Side, second: Side) -> None:
    """Pings there and back, with answers: packets in the tunnel, however busy the machine is."""
    for a, b in ((first, second), (second, first)):
        seen = ping(a.host, b.inner4, count=30, interval=0.02)
        assert seen.received >= 20, (a.host, seen.missing)
