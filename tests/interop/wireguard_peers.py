"""Foreign implementations of WireGuard, each as the other end of a tunnel of ours.

Programs are built once (peers.py). The kernel's is that of a virtual machine (kernel_guest.py): one
machine serves all tests of a run, many tunnels at once.
"""

import itertools
from pathlib import Path

import labkit
import peers
from kernel_guest import Guest, KernelDevice
from labkit import Host, Lab, wireguard
from labkit.tunnel import PORTS, Side, identified, side

GO_MODULE = "golang.zx2c4.com/wireguard"
BORINGTUN_VERSION = "0.7.1"
GOTATUN_VERSION = "0.10.2"
CRATES = {
    "boringtun": ("boringtun-cli", BORINGTUN_VERSION, "boringtun-cli"),
    "gotatun": ("gotatun-cli", GOTATUN_VERSION, "gotatun"),
}
GO_VERSIONS = {
    "wireguard-go-2023": "v0.0.0-20231211153847-12269c276173",
    "wireguard-go-2026": "v0.0.0-20260522210424-ecfc5a8d5446",
}
KERNEL = "kernel"
ALL = (*GO_VERSIONS, *CRATES, KERNEL)
# The others keep what they were told to themselves, and tell a handshake's age for its time.
TELL_ALL = (*GO_VERSIONS, KERNEL)
# What lets an implementation follow when its machine gets another address.
TO_MOVE = {"boringtun": ("--disable-connected-udp",)}


class Foreign:
    """Makes tunnels to implementations, by name."""

    def __init__(self, directory: Path):
        self._directory = directory
        self._programs: dict[str, Path] = {}
        self._guest: Guest | None = None
        self._ports = itertools.count(PORTS["bob"])  # of the virtual machine, which all share

    def close(self) -> None:
        if self._guest:
            self._guest.close()

    def prepare(self, name: str) -> None:
        """Builds the program or boots the machine, for all tests to come. Raises `Unavailable`."""
        if name == KERNEL:
            if not self._guest:
                self._guest = Guest(self._directory)
        elif name in GO_VERSIONS:
            self._programs[name] = peers.go_install(GO_MODULE, GO_VERSIONS[name], name)
        else:
            self._programs[name] = peers.cargo_install(*CRATES[name])

    @property
    def guest(self) -> Guest:
        """The virtual machine, once it was prepared."""
        assert self._guest
        return self._guest

    def tunnel(self, lab: Lab, name: str, *options: str) -> tuple[Side, Side]:
        """Ours on a host alice, theirs on a host bob, not yet peers. `options`: for its program."""
        if name == KERNEL:
            return self._kernel_tunnel(lab)
        alice, bob = lab.host("alice"), lab.host("bob")
        link = lab.link(alice, bob)
        theirs = side(bob, link, self.device(bob, name, *options))
        return side(alice, link, our_device(alice)), theirs

    def device(self, host, name: str, *options: str) -> wireguard.Device:
        """A device of that implementation, prepared before."""
        if name == KERNEL:
            return KernelDevice(host)
        interface = wireguard.unique_interface()
        process = host.spawn(*self._command(name, interface), *options, name=f"{name}-{interface}",
                             env={"LOG_LEVEL": "verbose", "WG_PROCESS_FOREGROUND": "1"})
        device = wireguard.Device(host, interface, process)
        host.on_close(device.stop)
        return device

    def _command(self, name: str, interface: str) -> list[str]:
        program = str(self._programs[name])
        if name in GO_VERSIONS:
            return [program, "--foreground", interface]
        return [program, "-f", interface, "--disable-drop-privileges"]

    def _kernel_tunnel(self, lab: Lab) -> tuple[Side, Side]:
        guest = self.guest
        alice, bob = lab.host("alice"), guest.host("bob")
        alice.on_close(bob.close)
        link = lab.link(alice, guest.router)
        guest.reach(alice, link)
        theirs = identified(bob, self.device(bob, KERNEL), guest.v4, guest.v6, next(self._ports))
        return side(alice, link, our_device(alice)), theirs


def our_device(host: Host) -> wireguard.Device:
    """trellis-wg, stopped with its host."""
    return wireguard.trellis_wg(host, labkit.find_program("trellis-wg"))


def outer_interface(side: Side) -> str:
    """Of a host of the lab: the one with the address at which its other end reaches it."""
    return side.host.ip("-o", "addr", "show", "to", side.outer4).split()[1]
