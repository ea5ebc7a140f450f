"""Tunnels between two hosts, each by another program, all configured alike by `wg`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import peers
from labkit import Host, Lab, find_program
from labkit.process import Process
from labkit.wireguard import Device, endpoint, key_pair, unique_interface

GO_MODULE = "golang.zx2c4.com/wireguard"
GO_2023 = "v0.0.0-20231211153847-12269c276173"
GO_2026 = "v0.0.0-20260522210424-ecfc5a8d5446"
NO_AVX2 = "cpu.avx512f=off,cpu.avx512bw=off,cpu.avx512vl=off,cpu.avx2=off,cpu.bmi2=off"
BORINGTUN = "0.7.1"
GOTATUN = "0.10.2"

INNER = ("10.9.0.1", "10.9.0.2")
PORTS = (51820, 51821)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class PlainDevice:
    """A tunnel's end that has no control socket."""

    process: Process

    def stop(self) -> int:
        return self.process.stop()


class Tunnel:
    """Two hosts, `a` and `b`; `b` is reached at `address`. Without devices: the bare link."""

    def __init__(self, a: Host, b: Host, address: str, devices: tuple[Device | PlainDevice, ...] = ()):
        self.a = a
        self.b = b
        self.address = address
        self.devices = devices

    def cpu_seconds(self) -> float:
        """What both programs have used."""
        return sum(self._stat(device, 13) + self._stat(device, 14)
                   for device in self.devices) / TICKS

    def resident_bytes(self) -> float:
        """Of one program: the mean of the two."""
        pages = sum(self._stat(device, 23) for device in self.devices)
        return pages * os.sysconf("SC_PAGE_SIZE") / max(len(self.devices), 1)

    def stop(self) -> None:
        for device in self.devices:
            device.stop()

    @staticmethod
    def _stat(device: Device | PlainDevice, field: int) -> int:
        text = Path(f"/proc/{device.process.pid}/stat").read_text()
        return int((["", *text[text.rindex(")") + 1:].split()])[field - 1])


class Product:
    """A program that makes WireGuard devices. `command` is what starts one, given its name."""

    def __init__(self, name: str, command: Callable[[str], list[str]],
                 env: dict[str, str] | None = None):
        self.name = name
        self.command = command
        self.env = env or {}

    def start(self, lab: Lab, *, offload: bool) -> Tunnel:
        a, b = (lab.host(f"{self.name}-{end}") for end in "ab")
        link = lab.link(a, b, offload=offload)
        devices = [self._device(host) for host in (a, b)]
        keys = [key_pair(), key_pair()]
        for device, own, port, inner in zip(devices, keys, PORTS, INNER):
            device.identify(own, port)
            device.bring_up(f"{inner}/24")
        for i, device in enumerate(devices):
            other = 1 - i
            device.add_peer(keys[other].public, allowed=(f"{INNER[other]}/32",),
                            endpoint=endpoint(link.end((a, b)[other]).v4, PORTS[other]))
        return Tunnel(a, b, INNER[1], tuple(devices))

    def _device(self, host: Host) -> Device:
        name = unique_interface()
        process = host.spawn(*self.command(name), name=name, env=self.env)
        device = Device(host, name, process)
        host.on_close(device.stop)
        return device


class Ceiling:
    """Our packet path without cipher and protocol: bench/dataplane/plain_tunnel.cc."""

    name = "ceiling"

    def __init__(self) -> None:
        self.program = str(find_program("trellis_bench_plain_tunnel"))

    def start(self, lab: Lab, *, offload: bool) -> Tunnel:
        a, b = (lab.host(f"ceiling-{end}") for end in "ab")
        link = lab.link(a, b, offload=offload)
        devices = []
        for i, (host, other) in enumerate(((a, b), (b, a))):
            name = unique_interface()
            process = host.spawn(self.program, name, str(PORTS[i]), link.end(other).v4,
                                 str(PORTS[1 - i]), name=name)
            process.wait_for("ready")
            devices.append(PlainDevice(process))
            host.ip("addr", "add", f"{INNER[i]}/24", "dev", name)
            host.ip("link", "set", name, "up")
        return Tunnel(a, b, INNER[1], tuple(devices))


class NoTunnel:
    """The link alone: what the load programs and the kernel allow."""

    name = "none"

    def start(self, lab: Lab, *, offload: bool) -> Tunnel:
        a, b = lab.host("none-a"), lab.host("none-b")
        return Tunnel(a, b, lab.link(a, b, offload=offload).end(b).v4)


def _ours(name: str, env: dict[str, str] | None = None) -> Product:
    program = str(find_program("trellis-wg"))
    return Product(name, lambda device: [program, device, "--foreground"], env)


def _wireguard_go(name: str, version: str, without: str = "") -> Product:
    """`without`: what GODEBUG tells it of its processor."""
    program = str(peers.go_install(GO_MODULE, version, name))
    return Product(name + ("-no-avx2" if without else ""), lambda device: [program, "-f", device],
                   {"WG_PROCESS_FOREGROUND": "1", "GODEBUG": without})


def _boringtun() -> Product:
    program = str(peers.cargo_install("boringtun-cli", BORINGTUN, "boringtun-cli"))
    return Product("boringtun", lambda device: [program, "-f", device,
                                                "--disable-drop-privileges"])


def _gotatun() -> Product:
    program = str(peers.cargo_install("gotatun-cli", GOTATUN, "gotatun"))
    return Product("gotatun", lambda device: [program, "-f", device, "--disable-drop-privileges"])


PRODUCTS: dict[str, Callable[[], object]] = {
    "trellis": lambda: _ours("trellis"),
    "trellis-plain": lambda: _ours("trellis-plain", {"TRELLIS_NO_OFFLOAD": "1"}),
    "trellis-avx2": lambda: _ours("trellis-avx2", {"TRELLIS_PACKET_KERNELS": "avx2"}),
    "trellis-portable": lambda: _ours("trellis-portable", {"TRELLIS_PACKET_KERNELS": "portable"}),
    "wireguard-go-2023": lambda: _wireguard_go("wireguard-go-2023", GO_2023),
    "wireguard-go-2026": lambda: _wireguard_go("wireguard-go-2026", GO_2026),
    "wireguard-go-2026-no-avx2": lambda: _wireguard_go("wireguard-go-2026", GO_2026, NO_AVX2),
    "boringtun": _boringtun,
    "gotatun": _gotatun,
    "ceiling": Ceiling,
    "none": NoTunnel,
}
