"""The lab: makes hosts, links and captures, and undoes all of it."""

from contextlib import ExitStack
from pathlib import Path

from .capture import Capture
from .link import End, Link, assign, subnet, veth
from .namespace import Host
from .network import Network
from .wire import Wire


class Lab:
    """Owns everything that a test makes. Logs and captures go to `directory` and stay there."""

    def __init__(self, directory: Path):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Stops programs, removes namespaces. Goes on when a step fails, and raises at the end."""
        self._stack.close()

    def host(self, name: str) -> Host:
        return self._own(Host(name, self.directory))

    def router(self, name: str) -> Host:
        host = self.host(name)
        host.forward()
        return host

    def link(self, a: Host, b: Host, *, offload: bool = False, mtu: int = 1500) -> Link:
        """Joins two hosts by a veth pair with fresh networks of both families.

        `offload=True` lets the kernel merge packets: faster, but captures then show merged ones.
        """
        return self._addressed(a, b, veth(a, b, offload=offload, mtu=mtu))

    def impaired_link(self, a: Host, b: Host, *, mtu: int = 1500, seed: int = 1
                      ) -> tuple[Link, Wire]:
        """Joins two hosts by a cable whose faults the test controls. It starts without faults."""
        middle = self._own(Host(f"wire-{a.name}-{b.name}", self.directory, ipv6=False))
        a_side = veth(a, middle, offload=False, mtu=mtu)
        b_side = veth(b, middle, offload=False, mtu=mtu)
        wire = self._own(Wire(middle, (a_side[1], b_side[1]), (a, b), seed))
        return self._addressed(a, b, (a_side[0], b_side[0])), wire

    def network(self, *hosts: Host, offload: bool = False, name: str = "switch") -> Network:
        """Joins any number of hosts by a bridge, with fresh networks of both families."""
        made = Network(self.host(name), offload=offload)
        for host in hosts:
            made.attach(host)
        return made

    def capture(self, host: Host, link: Link, expression: str = "", *, name: str | None = None
                ) -> Capture:
        """Captures at one host's end of a link, from now on."""
        return self.capture_interface(host, link.end(host).interface, expression, name=name)

    def capture_interface(self, host: Host, interface: str, expression: str = "", *,
                          name: str | None = None) -> Capture:
        path = self.directory / f"{name or f'{host.name}.{interface}'}.pcap"
        return Capture(host, interface, path, expression)

    def _addressed(self, a: Host, b: Host, interfaces: tuple[str, str]) -> Link:
        v4, v6 = subnet()
        ends = tuple(End(host, interface, f"{v4}{number}", f"{v6}{number}")
                     for number, (host, interface) in enumerate(zip((a, b), interfaces), start=1))
        for end in ends:
            assign(end.host, end.interface, end.v4, end.v6)
        return Link(ends, f"{v4}0/24", f"{v6}/64")

    def _own(self, resource):
        self._stack.callback(resource.close)
        return resource
