"""User-space WireGuard devices, driven by the stock `wg` tool."""

import itertools
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .namespace import Host
from .process import Process, run

SOCKETS = Path("/var/run/wireguard")
_numbers = itertools.count(1)


def unique_interface(prefix: str = "wg") -> str:
    """A name that no other device of this machine has: the control sockets share one folder."""
    return f"{prefix}{os.getpid() % 100000}x{next(_numbers)}"


@dataclass(frozen=True)
class KeyPair:
    private: str  # base64
    public: str


def key_pair() -> KeyPair:
    private = run(["wg", "genkey"]).stdout.strip()
    return KeyPair(private, run(["wg", "pubkey"], input=private).stdout.strip())


def preshared_key() -> str:
    return run(["wg", "genpsk"]).stdout.strip()


@dataclass(frozen=True)
class ShownPeer:
    """A peer as `wg show NAME dump` tells it."""

    public_key: str
    preshared_key: str | None
    endpoint: str | None
    allowed_ips: tuple[str, ...]
    latest_handshake: int  # seconds since 1970, 0: never
    received: int
    sent: int
    persistent_keepalive: int  # seconds, 0: off


@dataclass(frozen=True)
class ShownDevice:
    private_key: str | None
    public_key: str | None
    listen_port: int
    fwmark: int
    peers: dict[str, ShownPeer]


def parse_dump(text: str) -> ShownDevice:
    def optional(word: str) -> str | None:
        return None if word == "(none)" else word

    device, *rest = [line.split("\t") for line in text.splitlines()]
    peers = {}
    for key, psk, endpoint, allowed, handshake, received, sent, keepalive in rest:
        peers[key] = ShownPeer(key, optional(psk), optional(endpoint),
                               tuple(allowed.split(",")) if optional(allowed) else (),
                               int(handshake), int(received), int(sent),
                               0 if keepalive == "off" else int(keepalive))
    private, public, port, fwmark = device
    return ShownDevice(optional(private), optional(public), int(port),
                       0 if fwmark == "off" else int(fwmark, 0), peers)


class Device:
    """A running device on a host. Ends with the host, its control socket removed."""

    def __init__(self, host: Host, name: str, process: Process):
        self.host = host
        self.name = name
        self.process = process
        self.socket = SOCKETS / f"{name}.sock"
        process.wait_for(self._answers, 10)

    def _answers(self) -> bool:
        try:
            return stat.S_ISSOCK(self.socket.stat().st_mode) and self.host.has_interface(self.name)
        except FileNotFoundError:
            return False

    def set(self, *arguments: str, secret: str | None = None) -> None:
        """`secret`: what /dev/stdin holds."""
        self.host.run("wg", "set", self.name, *map(str, arguments), input=secret)

    def identify(self, keys: KeyPair, port: int) -> None:
        self.set("private-key", "/dev/stdin", "listen-port", str(port), secret=keys.private)

    def add_peer(self, public: str, *, allowed: tuple[str, ...], endpoint: str | None = None,
                 psk: str | None = None, keepalive: int = 0) -> None:
        """`psk`: base64; "" removes it; None leaves it as it is."""
        arguments = ["peer", public, "allowed-ips", ",".join(allowed)]
        if endpoint:
            arguments += ["endpoint", endpoint]
        if keepalive:
            arguments += ["persistent-keepalive", str(keepalive)]
        if psk is not None:
            arguments += ["preshared-key", "/dev/stdin" if psk else "/dev/null"]
        self.set(*arguments, secret=psk or None)

    def bring_up(self, *addresses: str, mtu: int = 1420) -> None:
        for address in addresses:
            self.host.ip("addr", "add", address, "dev", self.name,
                         *(["nodad"] if ":" in address else []))
        self.host.ip("link", "set", self.name, "mtu", str(mtu), "up")

    def show(self) -> ShownDevice:
        return parse_dump(self.host.run("wg", "show", self.name, "dump").stdout)

    def stop(self) -> int:
        status = self.process.stop()
        self.socket.unlink(missing_ok=True)
        return status


def secret_file(text: str):
    """A file that only we can read, gone when closed."""
    file = tempfile.NamedTemporaryFile("w", prefix="trellis-lab-")
    file.write(text + "\n")
    file.flush()
    return file


def wireguard_go(host: Host, name: str | None = None) -> Device:
    name = name or unique_interface()
    process = host.spawn("wireguard-go", "--foreground", name, name=f"wireguard-go-{name}",
                         env={"LOG_LEVEL": "verbose", "WG_PROCESS_FOREGROUND": "1"})
    return _tracked(Device(host, name, process))


def trellis_wg(host: Host, program: Path, name: str | None = None) -> Device:
    name = name or unique_interface()
    process = host.spawn(str(program), name, "--foreground", name=f"trellis-wg-{name}")
    return _tracked(Device(host, name, process))


def _tracked(device: Device) -> Device:
    device.host.on_close(device.stop)
    return device


def endpoint(address: str, port: int) -> str:
    """How `wg` and others write an address with its port."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
