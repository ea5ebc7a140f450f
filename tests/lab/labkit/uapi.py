"""What a WireGuard device tells on its control socket beyond what `wg` asks for."""

import socket

from .wireguard import Device


def ask(device: Device, request: str) -> list[tuple[str, str]]:
    """The lines of an answer, without its errno; fails if that is not 0."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(5)
        control.connect(str(device.socket))
        control.sendall(f"{request}\n\n".encode())
        text = b""
        while not text.endswith(b"\n\n"):
            piece = control.recv(1 << 16)
            if not piece:
                break
            text += piece
    pairs = [tuple(line.split("=", 1)) for line in text.decode().split("\n") if line]
    if pairs[-1:] != [("errno", "0")]:
        raise AssertionError(f"{device.name}: {request} was answered with {pairs[-1:]}")
    return pairs[:-1]


def counters(device: Device) -> dict[str, int]:
    """What a trellis-wg has dropped, and why; only what is not zero."""
    return {name: int(value) for name, value in ask(device, "get=counters") if int(value)}


def handshake_time(device: Device) -> float:
    """Of its only peer, in seconds since 1970."""
    told = dict(ask(device, "get=1"))
    return int(told["last_handshake_time_sec"]) + int(told["last_handshake_time_nsec"]) / 1e9
