"""Preshared keys that a recorder can guess from public keys alone."""

import base64
from hashlib import blake2s, sha256
import hmac
from collections.abc import Iterable

ZERO = bytes(32)
RATCHET = b"netbird-rosenpass-expiry-ratchet"
RATCHETS = 16  # expiries in a row that are tried
TRELLIS_LABEL = b"trellis wireguard psk"


def netbird_seed(one: bytes, other: bytes) -> bytes:
    """The key that NetBird uses until an exchange completes: public, in fact."""
    larger, smaller = sorted((base64.b64encode(key) for key in (one, other)), reverse=True)
    return larger[:16] + smaller[:16]


def ratcheted(key: bytes) -> bytes:
    """What NetBird uses after `key` has expired."""
    return sha256(RATCHET + key).digest()


def bound(output_key: bytes, one: bytes, other: bytes) -> bytes:
    """What Trellis mixes for a key of an exchange, bound to two WireGuard public keys."""
    return hmac.digest(output_key, TRELLIS_LABEL + min(one, other) + max(one, other), blake2s)


def guesses(one: bytes, other: bytes) -> Iterable[tuple[str, bytes]]:
    """(name, key) of all that is computable from two WireGuard public keys."""
    for name, key in (("zero", ZERO), ("netbird-seed", netbird_seed(one, other))):
        for expiries in range(RATCHETS + 1):
            title = f"{name} after {expiries} expiries" if expiries else name
            yield title, key
            yield f"{title}, bound", bound(key, one, other)
            key = ratcheted(key)
