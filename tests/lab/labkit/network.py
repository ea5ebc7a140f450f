"""Networks of many hosts: each has one cable to a bridge in a namespace of its own."""

import itertools

from .link import End, assign, disable_offloads
from .namespace import Host
from .process import run

_numbers = itertools.count(1)
INTERFACE = "eth0"  # some programs skip interfaces that are called veth...
BRIDGE = "bridge0"


class Network:
    """Hosts on one bridge, with fresh networks of both families. `switch` is the bridge's host.

    `offload=True` lets the kernel merge packets: faster, but captures then show merged ones.
    """

    def __init__(self, switch: Host, *, offload: bool = False):
        self.switch = switch
        self.offload = offload
        number = next(_numbers)
        self.v4 = f"10.78.{number % 256}.0/24"
        self.v6 = f"2001:db8:78:{number:x}::/64"
        self._ends: dict[str, End] = {}
        self._ports: dict[str, str] = {}
        switch.ip("link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
        switch.ip("link", "set", BRIDGE, "up")

    def attach(self, host: Host) -> End:
        """Plugs a host in; it gets the next free addresses."""
        number = len(self._ends) + 1
        port = f"port{number}"
        run(["ip", "link", "add", INTERFACE, "netns", host.namespace, "type", "veth", "peer",
             "name", port, "netns", self.switch.namespace])
        for owner, interface in ((host, INTERFACE), (self.switch, port)):
            if not self.offload:
                disable_offloads(owner, interface)
        self.switch.ip("link", "set", port, "master", BRIDGE, "up")
        host.ip("link", "set", INTERFACE, "up")
        end = End(host, INTERFACE, self.v4.replace(".0/24", f".{number}"),
                  self.v6.replace("/64", f"{number:x}"))
        assign(host, INTERFACE, end.v4, end.v6)
        self._ends[host.name] = end
        self._ports[host.name] = port
        return end

    def end(self, host: Host) -> End:
        return self._ends[host.name]

    def down(self, host: Host) -> None:
        """Unplugs the host: it sees its carrier, but nothing passes."""
        self.switch.ip("link", "set", self._ports[host.name], "nomaster")

    def up(self, host: Host) -> None:
        self.switch.ip("link", "set", self._ports[host.name], "master", BRIDGE)

    def move(self, host: Host, number: int) -> End:
        """Gives the host other addresses, as a change of networks does."""
        old = self._ends[host.name]
        end = End(host, INTERFACE, self.v4.replace(".0/24", f".{number}"),
                  self.v6.replace("/64", f"{number:x}"))
        host.ip("addr", "del", f"{old.v4}/24", "dev", INTERFACE)
        host.ip("addr", "del", f"{old.v6}/64", "dev", INTERFACE)
        assign(host, INTERFACE, end.v4, end.v6)
        self._ends[host.name] = end
        return end
