"""Dumps of secrets, as a build with TRELLIS_DUMP_SECRETS writes them: lines `KIND HEX`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

X25519_PRIVATE, PRESHARED_KEY = "x25519-private", "preshared-key"
SECRET_SIZE = 32


@dataclass
class Secrets:
    """Each secret once, in the order in which it was first written."""

    x25519_private: dict[bytes, None] = field(default_factory=dict)
    preshared_keys: dict[bytes, None] = field(default_factory=dict)


def read(paths: Iterable[Path]) -> Secrets:
    """Reads dumps. ValueError names the line that is none; a last line without end is left out,
    for a program may have been killed while it wrote it."""
    secrets = Secrets()
    into = {X25519_PRIVATE: secrets.x25519_private, PRESHARED_KEY: secrets.preshared_keys}
    for path in paths:
        for number, line in enumerate(Path(path).read_text().splitlines(keepends=True), start=1):
            if not line.endswith("\n"):
                continue
            kind, _, text = line.strip().partition(" ")
            try:
                secret = bytes.fromhex(text)
            except ValueError:
                secret = b""
            if kind not in into or len(secret) != SECRET_SIZE:
                raise ValueError(f"{path}:{number}: wants `x25519-private HEX` or "
                                 "`preshared-key HEX` of 32 bytes")
            into[kind][secret] = None
    return secrets


def write(path: Path, secrets: Secrets) -> None:
    lines = [f"{kind} {secret.hex()}\n"
             for kind, held in ((X25519_PRIVATE, secrets.x25519_private),
                                (PRESHARED_KEY, secrets.preshared_keys)) for secret in held]
    path.write_text("".join(lines))
