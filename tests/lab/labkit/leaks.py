"""Looks for secrets where none may be: logs, JSON, argv, core files, captures."""

import base64
import mmap
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SHORTEST_SECRET = 12  # shorter ones would be found by chance, in base64 above all


@dataclass(frozen=True)
class Leak:
    secret: str  # the name it was given
    encoding: str  # raw, hex, base64 ...
    where: str
    offset: int


def encodings(secret: bytes) -> dict[str, bytes]:
    """How a secret may appear: raw, hex, and base64 at each of its three alignments.

    Of base64 only the characters that depend on nothing but the secret: a longer text may hold it
    in the middle. Hex is in lower case; look for it in lower case. `base64url` differs in two
    characters only, and is left out where it is the same.
    """
    found = {"raw": secret, "hex": secret.hex().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        first = (shift * 8 + 5) // 6
        last = (shift + len(secret)) * 8 // 6
        found[f"base64+{shift}"] = text[first:last]
        url = text[first:last].translate(bytes.maketrans(b"+/", b"-_"))
        if url != text[first:last]:
            found[f"base64url+{shift}"] = url
    return found


def find_secrets(data: bytes | mmap.mmap, secrets: Mapping[str, bytes], where: str = ""
                 ) -> list[Leak]:
    """Every secret found in `data`, each encoding once, at its first place."""
    leaks = []
    for name, secret in secrets.items():
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"{name}: too short to be looked for")
        for encoding, needle in encodings(secret).items():
            if encoding == "hex":
                match = re.search(re.escape(needle), data, re.IGNORECASE)
                offset = match.start() if match else -1
            else:
                offset = data.find(needle)
            if offset >= 0:
                leaks.append(Leak(name, encoding, where, offset))
    return leaks


def search_files(paths: Iterable[Path], secrets: Mapping[str, bytes]) -> list[Leak]:
    """The same for files, and for all files below folders. Sockets and the like are left out."""
    leaks = []
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if not file.is_file() or file.stat().st_size == 0:
                continue
            with open(file, "rb") as opened, \
                    mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
                leaks += find_secrets(data, secrets, str(file))
    return leaks


def visible_of(pid: int) -> dict[str, bytes]:
    """What other programs can see of a process: its arguments and its environment."""
    return {name: Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")}
