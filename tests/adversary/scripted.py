"""Two WireGuard ends that follow a script, and the capture that a link between them would give.

For tests of the recorder: everything about them is known, their ephemeral keys too.
"""

import os
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

import noise
from noise import KeyPair, Transcript

PAD_TO = 16
RAW_IP = 101


@dataclass
class Session:
    """One side of a session."""

    peer_index: int
    sending: bytes
    receiving: bytes
    counter: int = 0

    def seal(self, packet: bytes) -> bytes:
        """A data message; `packet` empty: a keepalive."""
        padded = packet + bytes(-len(packet) % PAD_TO)
        message = struct.pack("<IIQ", noise.DATA, self.peer_index, self.counter)
        message += noise.seal(self.sending, self.counter, padded, b"")
        self.counter += 1
        return message

    def open(self, message: bytes) -> bytes | None:
        return noise.unseal(self.receiving, struct.unpack_from("<Q", message, 8)[0], message[16:],
                            b"")


@dataclass
class End:
    """A WireGuard end. `ephemerals`: all that it made."""

    static: KeyPair = field(default_factory=KeyPair)
    preshared_key: bytes = bytes(32)
    ephemerals: list[KeyPair] = field(default_factory=list)

    @property
    def private_keys(self) -> list[bytes]:
        return [key.private for key in (self.static, *self.ephemerals)]

    def _new_ephemeral(self) -> KeyPair:
        self.ephemerals.append(KeyPair())
        return self.ephemerals[-1]

    def initiate(self, responder: bytes) -> tuple["Initiated", bytes]:
        """The state to keep, and the message to send."""
        ephemeral, index = self._new_ephemeral(), new_index()
        transcript = Transcript(responder)
        transcript.mix_ephemeral(ephemeral.public)
        key = transcript.mix_key(ephemeral.exchange(responder))
        sealed_static = noise.seal(key, 0, self.static.public, transcript.hash)
        transcript.mix_hash(sealed_static)
        key = transcript.mix_key(self.static.exchange(responder))
        sealed_timestamp = noise.seal(key, 0, tai64n(), transcript.hash)
        transcript.mix_hash(sealed_timestamp)
        message = (struct.pack("<II", noise.INITIATION, index) + ephemeral.public + sealed_static
                   + sealed_timestamp)
        return Initiated(self, ephemeral, index, transcript), with_macs(message, responder)

    def respond(self, raw: bytes) -> tuple[Session, bytes]:
        """The responder's session, and the message to send."""
        initiation = noise.parse(raw)
        transcript = Transcript(self.static.public)
        transcript.mix_ephemeral(initiation.ephemeral)
        key = transcript.mix_key(self.static.exchange(initiation.ephemeral))
        initiator = noise.unseal(key, 0, initiation.sealed_static, transcript.hash)
        assert initiator is not None
        transcript.mix_hash(initiation.sealed_static)
        transcript.mix_key(self.static.exchange(initiator))
        transcript.mix_hash(initiation.sealed_timestamp)

        ephemeral, index = self._new_ephemeral(), new_index()
        transcript.mix_ephemeral(ephemeral.public)
        transcript.mix_secret(ephemeral.exchange(initiation.ephemeral))
        transcript.mix_secret(ephemeral.exchange(initiator))
        key = transcript.mix_preshared_key(self.preshared_key)
        message = (struct.pack("<III", noise.RESPONSE, index, initiation.sender) + ephemeral.public
                   + noise.seal(key, 0, b"", transcript.hash))
        from_initiator, to_initiator = transcript.session_keys()
        return (Session(initiation.sender, to_initiator, from_initiator),
                with_macs(message, initiator))


@dataclass
class Initiated:
    """An end that waits for its response."""

    end: End
    ephemeral: KeyPair
    index: int
    transcript: Transcript

    def finish(self, raw: bytes) -> Session:
        response = noise.parse(raw)
        transcript = self.transcript.copy()
        transcript.mix_ephemeral(response.ephemeral)
        transcript.mix_secret(self.ephemeral.exchange(response.ephemeral))
        transcript.mix_secret(self.end.static.exchange(response.ephemeral))
        key = transcript.mix_preshared_key(self.end.preshared_key)
        opened = noise.unseal(key, 0, response.sealed_nothing, transcript.hash)
        assert opened is not None, "the ends hold different keys"
        to_responder, from_responder = transcript.session_keys()
        return Session(response.sender, to_responder, from_responder)


def new_index() -> int:
    return int.from_bytes(os.urandom(4), "little")


def tai64n() -> bytes:
    now = time.time_ns()
    return struct.pack(">QI", (1 << 62) + 10 + now // 10**9, now % 10**9)


def with_macs(message: bytes, receiver: bytes) -> bytes:
    return message + noise.mac(noise.mac1_key(receiver), message) + bytes(16)


# ---- packets and captures ------------------------------------------------------------------------


def checksum(data: bytes) -> int:
    """The Internet checksum. [RFC 1071]"""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    addresses = bytes(map(int, f"{source}.{target}".split(".")))
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + addresses
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def udp(source: str, sport: int, target: str, dport: int, payload: bytes) -> bytes:
    header = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
    return ipv4(source, target, 17, header + payload)


def echo_request(source: str, target: str, sequence: int, payload: bytes) -> bytes:
    body = struct.pack(">BBHHH", 8, 0, 0, 7, sequence) + payload
    return ipv4(source, target, 1, body[:2] + struct.pack(">H", checksum(body)) + body[4:])


class CaptureFile:
    """A capture of raw IP packets, written as they are added."""

    def __init__(self, path: Path):
        self.path = path
        self._file = open(path, "wb")
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP))
        self._packets = 0

    def __enter__(self) -> "CaptureFile":
        return self

    def __exit__(self, *exception) -> None:
        self._file.close()

    def add(self, packet: bytes) -> None:
        self._packets += 1
        self._file.write(struct.pack("<IIII", self._packets, 0, len(packet), len(packet)) + packet)
