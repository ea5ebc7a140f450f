"""Noise IKpsk2 as WireGuard uses it, for whoever holds some of the secrets. [WG 5.4]

Written apart from the C++ engine: hashes from hashlib, X25519 and ChaCha20-Poly1305 from Debian's
python3-cryptography.
"""

import hmac
import struct
from dataclasses import dataclass
from hashlib import blake2s

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat)

CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
LABEL_MAC1 = b"mac1----"

INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
INITIATION_SIZE, RESPONSE_SIZE, COOKIE_SIZE = 148, 92, 64
DATA_OVERHEAD = 32  # header and tag
TAG_SIZE = 16


@dataclass(frozen=True)
class Initiation:
    sender: int
    ephemeral: bytes
    sealed_static: bytes
    sealed_timestamp: bytes
    raw: bytes

    @property
    def mac1(self) -> bytes:
        return self.raw[116:132]


@dataclass(frozen=True)
class Response:
    sender: int
    receiver: int
    ephemeral: bytes
    sealed_nothing: bytes


@dataclass(frozen=True)
class Data:
    receiver: int
    counter: int
    sealed: bytes


@dataclass(frozen=True)
class CookieReply:
    receiver: int


def parse(payload: bytes) -> Initiation | Response | Data | CookieReply | None:
    """None for what is no WireGuard message."""
    if len(payload) < DATA_OVERHEAD:
        return None
    kind, first, second = struct.unpack_from("<III", payload)
    if kind == INITIATION and len(payload) == INITIATION_SIZE:
        return Initiation(first, payload[8:40], payload[40:88], payload[88:116], payload)
    if kind == RESPONSE and len(payload) == RESPONSE_SIZE:
        return Response(first, second, payload[12:44], payload[44:60])
    if kind == COOKIE and len(payload) == COOKIE_SIZE:
        return CookieReply(first)
    if kind == DATA:
        return Data(first, struct.unpack_from("<Q", payload, 8)[0], payload[16:])
    return None


def hash_of(*parts: bytes) -> bytes:
    return blake2s(b"".join(parts)).digest()


def mac(key: bytes, data: bytes) -> bytes:
    return blake2s(data, key=key, digest_size=16).digest()


def mac1_key(public: bytes) -> bytes:
    return hash_of(LABEL_MAC1, public)


def hmac_of(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "blake2s")


def kdf(count: int, key: bytes, data: bytes) -> list[bytes]:
    """KDF1, KDF2, KDF3 of the paper."""
    secret = hmac_of(key, data)
    outputs: list[bytes] = []
    previous = b""
    for number in range(1, count + 1):
        previous = hmac_of(secret, previous + bytes([number]))
        outputs.append(previous)
    return outputs


def nonce(counter: int) -> bytes:
    return bytes(4) + struct.pack("<Q", counter)


def seal(key: bytes, counter: int, plaintext: bytes, additional: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(nonce(counter), plaintext, additional)


def unseal(key: bytes, counter: int, sealed: bytes, additional: bytes) -> bytes | None:
    """None if the tag is wrong."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce(counter), sealed, additional)
    except InvalidTag:
        return None


class KeyPair:
    """An X25519 key of somebody."""

    def __init__(self, private: bytes | None = None):
        self._key = (X25519PrivateKey.generate() if private is None
                     else X25519PrivateKey.from_private_bytes(private))
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def private(self) -> bytes:
        return self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())

    def exchange(self, public: bytes) -> bytes:
        return self._key.exchange(X25519PublicKey.from_public_bytes(public))


class Transcript:
    """The chaining key and hash of a handshake, step by step."""

    def __init__(self, responder: bytes):
        self.chaining_key = hash_of(CONSTRUCTION)
        self.hash = hash_of(hash_of(self.chaining_key, IDENTIFIER), responder)

    def copy(self) -> "Transcript":
        other = Transcript.__new__(Transcript)
        other.chaining_key, other.hash = self.chaining_key, self.hash
        return other

    def mix_hash(self, data: bytes) -> None:
        self.hash = hash_of(self.hash, data)

    def mix_ephemeral(self, public: bytes) -> None:
        self.chaining_key, = kdf(1, self.chaining_key, public)
        self.mix_hash(public)

    def mix_key(self, secret: bytes) -> bytes:
        """Mixes a secret that only moves the chain or also yields a key; returns the key."""
        self.chaining_key, key = kdf(2, self.chaining_key, secret)
        return key

    def mix_secret(self, secret: bytes) -> None:
        self.chaining_key, = kdf(1, self.chaining_key, secret)

    def mix_preshared_key(self, preshared_key: bytes) -> bytes:
        self.chaining_key, tau, key = kdf(3, self.chaining_key, preshared_key)
        self.mix_hash(tau)
        return key

    def session_keys(self) -> tuple[bytes, bytes]:
        """(initiator to responder, responder to initiator)."""
        first, second = kdf(2, self.chaining_key, b"")
        return first, second
