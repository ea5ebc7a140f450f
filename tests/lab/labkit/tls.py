"""Key exchange groups in a capture of TLS 1.3: what a client offered, what the server chose."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from .pcap import Packet

TCP = 6
HANDSHAKE = 22
CLIENT_HELLO, SERVER_HELLO = 1, 2
KEY_SHARE, SUPPORTED_GROUPS = 51, 10  # RFC 8446 4.2
X25519 = 0x001D
X25519MLKEM768 = 0x11EC  # draft-ietf-tls-ecdhe-mlkem
# The ServerHello that asks for another ClientHello has this in place of a random. [RFC 8446 4.1.3]
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@dataclass(frozen=True)
class Hello:
    """A ClientHello or a ServerHello. `shares`: (group, bytes of its key share)."""

    kind: int
    random: bytes
    supported: tuple[int, ...]
    shares: tuple[tuple[int, int], ...]


def streams(packets: Iterable[Packet]) -> list[bytes]:
    """What each end of each TCP connection sent, as far as it was seen without a gap."""
    sent: dict[tuple, dict[int, bytes]] = {}
    first: dict[tuple, int] = {}
    for packet in packets:
        if packet.protocol != TCP or len(packet.payload) < 20:
            continue
        sport, dport, number, _, offset, flags = struct.unpack_from(">HHIIBB", packet.payload)
        flow = (packet.src, sport, packet.dst, dport)
        if flags & 2:  # SYN
            if flow in first and first[flow] != number + 1:
                sent[(*flow, first[flow])] = sent.pop(flow, {})  # the port was used before
                first[(*flow, first[flow])] = first[flow]
            first[flow] = number + 1
        elif flow in first:
            data = packet.payload[(offset >> 4) * 4:]
            if data:
                sent.setdefault(flow, {})[number - first[flow] & 0xFFFFFFFF] = data
    return [_in_order(pieces) for pieces in sent.values()]


def _in_order(pieces: dict[int, bytes]) -> bytes:
    stream = bytearray()
    for at, data in sorted(pieces.items()):
        if at > len(stream):
            break
        stream[at:at + len(data)] = data
    return bytes(stream)


def hellos(packets: Iterable[Packet]) -> list[Hello]:
    """Every hello of a capture, requests for another one included."""
    return [hello for stream in streams(packets) for hello in _hellos_of(stream)]


def _hellos_of(stream: bytes) -> list[Hello]:
    messages, at = bytearray(), 0
    while at + 5 <= len(stream) and stream[at] == HANDSHAKE:
        length = int.from_bytes(stream[at + 3:at + 5], "big")
        messages += stream[at + 5:at + 5 + length]
        at += 5 + length
        if at + 6 <= len(stream) and stream[at] == 20:  # change_cipher_spec, between two hellos
            at += 6
    found, at = [], 0
    while at + 4 <= len(messages) and messages[at] in (CLIENT_HELLO, SERVER_HELLO):
        length = int.from_bytes(messages[at + 1:at + 4], "big")
        found.append(_parse(messages[at], bytes(messages[at + 4:at + 4 + length])))
        at += 4 + length
    return found


def _parse(kind: int, body: bytes) -> Hello:
    random, at = body[2:34], 34
    at += 1 + body[at]  # session id
    if kind == CLIENT_HELLO:
        at += 2 + int.from_bytes(body[at:at + 2], "big")  # cipher suites
        at += 1 + body[at]  # compression methods
    else:
        at += 3
    end = at + 2 + int.from_bytes(body[at:at + 2], "big")
    at += 2
    supported: tuple[int, ...] = ()
    shares: tuple[tuple[int, int], ...] = ()
    while at + 4 <= end:
        what, length = struct.unpack_from(">HH", body, at)
        value = body[at + 4:at + 4 + length]
        if what == SUPPORTED_GROUPS:
            supported = struct.unpack(f">{len(value) // 2 - 1}H", value[2:])
        elif what == KEY_SHARE:
            shares = _shares(value, listed=kind == CLIENT_HELLO)
        at += 4 + length
    return Hello(kind, random, supported, shares)


def _shares(value: bytes, *, listed: bool) -> tuple[tuple[int, int], ...]:
    if len(value) == 2:  # a request for this group
        return ((int.from_bytes(value, "big"), 0),)
    found, at = [], 2 if listed else 0
    while at + 4 <= len(value):
        group, length = struct.unpack_from(">HH", value, at)
        found.append((group, length))
        at += 4 + length
    return tuple(found)
