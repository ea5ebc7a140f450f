"""Says what a datagram on the shared UDP port is, by the rules of the demultiplexer.

In this order: WireGuard is a little-endian word 1..4 and a length of at least 32; Rosenpass a first
byte 0x81..0x86 and an exact length of the protocol; STUN the top bits 00, the magic cookie and a
consistent length field. Written apart from the C++ demultiplexer, so that each checks the other.
"""

import struct

WIREGUARD = {1: "initiation", 2: "response", 3: "cookie", 4: "data"}

ROSENPASS = {
    (0x81, 1092): "InitHello",
    (0x82, 1132): "RespHello",
    (0x83, 176): "InitConf",
    (0x84, 64): "EmptyData",
    (0x86, 1092): "CookieReply",
}

STUN_COOKIE = 0x2112A442
STUN_HEADER = 20


def classify(payload: bytes) -> str:
    """Returns 'wireguard-initiation', 'rosenpass-InitHello', ..., 'stun' or 'unknown'."""
    if len(payload) >= 32:
        kind = WIREGUARD.get(int.from_bytes(payload[:4], "little"))
        if kind:
            return f"wireguard-{kind}"
    if payload:
        kind = ROSENPASS.get((payload[0], len(payload)))
        if kind:
            return f"rosenpass-{kind}"
    if is_stun(payload):
        return "stun"
    return "unknown"


def is_stun(payload: bytes) -> bool:
    if len(payload) < STUN_HEADER or payload[0] & 0xC0:
        return False
    _, length, cookie = struct.unpack_from(">HHI", payload)
    return cookie == STUN_COOKIE and length % 4 == 0 and STUN_HEADER + length == len(payload)
