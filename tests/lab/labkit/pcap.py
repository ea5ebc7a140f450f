"""Reads capture files: a small reader of our own, for what tests ask of a capture."""

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ETHERNET, RAW_IP, LINUX_SLL2 = 1, 101, 276
MAGICS = {0xA1B2C3D4: 1e-6, 0xA1B23C4D: 1e-9}
UDP = 17
EXTENSION_HEADERS = {0, 43, 60}  # hop-by-hop, routing, destination options
FRAGMENT_HEADER = 44


@dataclass(frozen=True)
class Packet:
    """An IP packet. `payload` follows the IP header and the extension headers."""

    time: float  # seconds since 1970
    src: str
    dst: str
    protocol: int
    payload: bytes
    fragment: bool  # of a larger packet; the first fragment too
    first: bool  # not a fragment, or its first one


@dataclass(frozen=True)
class Datagram:
    """A UDP datagram, or the beginning of one if `fragment`."""

    time: float
    src: str
    dst: str
    sport: int
    dport: int
    payload: bytes
    fragment: bool = False


def frames(capture: bytes) -> Iterator[tuple[float, int, bytes]]:
    """Yields (time, link type, frame). A last record that is cut short ends it silently, for a
    capture may be read while it is written."""
    if len(capture) < 24:
        return
    order = "<" if struct.unpack_from("<I", capture)[0] in MAGICS else ">"
    magic, = struct.unpack_from(order + "I", capture)
    if magic not in MAGICS:
        raise ValueError("not a pcap file")
    unit = MAGICS[magic]
    link_type = struct.unpack_from(order + "I", capture, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(capture):
        seconds, fraction, length, original = struct.unpack_from(order + "IIII", capture, at)
        at += 16
        if at + length > len(capture):
            return
        if length != original:
            raise ValueError("frame cut by the snapshot length")
        yield seconds + fraction * unit, link_type, capture[at:at + length]
        at += length


def ip_of(link_type: int, frame: bytes) -> bytes | None:
    """The IP packet in a frame, or None if it carries something else."""
    if link_type == RAW_IP:
        return frame
    if link_type == ETHERNET:
        ether_type, at = int.from_bytes(frame[12:14], "big"), 14
        if ether_type == 0x8100:  # a VLAN tag
            ether_type, at = int.from_bytes(frame[16:18], "big"), 18
    elif link_type == LINUX_SLL2:
        ether_type, at = int.from_bytes(frame[0:2], "big"), 20
    else:
        raise ValueError(f"unknown link type {link_type}")
    return frame[at:] if ether_type in (0x0800, 0x86DD) else None


def parse_ip(time: float, ip: bytes) -> Packet | None:
    """None for what is no well-formed IP packet."""
    version = ip[0] >> 4 if ip else 0
    if version == 4 and len(ip) >= 20:
        header, total = (ip[0] & 15) * 4, int.from_bytes(ip[2:4], "big")
        flags = int.from_bytes(ip[6:8], "big")
        offset, more = flags & 0x1FFF, bool(flags & 0x2000)
        return Packet(time, str(ipaddress.ip_address(ip[12:16])),
                      str(ipaddress.ip_address(ip[16:20])), ip[9], ip[header:total],
                      more or offset != 0, offset == 0)
    if version == 6 and len(ip) >= 40:
        end = 40 + int.from_bytes(ip[4:6], "big")
        protocol, at, fragment, first = ip[6], 40, False, True
        while at + 8 <= end and (protocol in EXTENSION_HEADERS or protocol == FRAGMENT_HEADER):
            if protocol == FRAGMENT_HEADER:
                fragment, first = True, int.from_bytes(ip[at + 2:at + 4], "big") >> 3 == 0
                protocol, at = ip[at], at + 8
                if not first:
                    break
            else:
                protocol, at = ip[at], at + 8 + ip[at + 1] * 8
        return Packet(time, str(ipaddress.ip_address(ip[8:24])),
                      str(ipaddress.ip_address(ip[24:40])), protocol, ip[at:end], fragment, first)
    return None


def parse_udp(packet: Packet) -> Datagram | None:
    """None for what is not UDP, and for a fragment other than the first: it has no ports."""
    if packet.protocol != UDP or not packet.first or len(packet.payload) < 8:
        return None
    sport, dport, length = struct.unpack_from(">HHH", packet.payload)
    return Datagram(packet.time, packet.src, packet.dst, sport, dport, packet.payload[8:length],
                    packet.fragment)


def packets(path: Path) -> Iterator[Packet]:
    """Every IP packet of a capture file, in order."""
    for time, link_type, frame in frames(Path(path).read_bytes()):
        ip = ip_of(link_type, frame)
        packet = parse_ip(time, ip) if ip else None
        if packet:
            yield packet


def datagrams(path: Path) -> Iterator[Datagram]:
    """Every UDP datagram of a capture file, in order."""
    for packet in packets(path):
        datagram = parse_udp(packet)
        if datagram:
            yield datagram
