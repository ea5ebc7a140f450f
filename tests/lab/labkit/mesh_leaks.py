"""What a mesh keeps secret, and everything that it says of itself, for a search."""

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

from .leaks import visible_of
from .mesh import MeshAgent

# Folders of state hold these, and so does whoever joins a machine; nothing else may.
PRIVATE_FILES = {"wireguard.key", "rosenpass.key", "setup.key", "tls.key"}


def scalar_of(pem: str) -> bytes:
    """The private number of an EC or Edwards key: the octet string of 32 bytes in it."""
    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    return der[der.index(b"\x04\x20") + 2:][:32]


def secrets_of(mesh, agents: list[MeshAgent]) -> dict[str, bytes]:
    """Everything secret that is in files, by a name for the report."""
    text = mesh.key["setup_key"]
    secrets = {"setup key": text.encode(), "setup key's bytes": bytes.fromhex(text.replace("-", ""))}
    for agent in agents:
        secrets[f"wireguard key of {agent.name}"] = base64.b64decode(
            (agent.state / "wireguard.key").read_text())
        raw = (agent.state / "rosenpass.key").read_bytes()
        # Seed, Goppa polynomial, the secret string: parts that nobody else has.
        secrets |= {f"rosenpass key of {agent.name} from {at}": raw[at:at + 32]
                    for at in (0, 40, 13032, 13576)}
    secrets["tls key"] = scalar_of((mesh.server.state / "tls.key").read_text())
    with closing(sqlite3.connect(mesh.server.state / "server.db")) as database:
        secrets["box key"], = database.execute("SELECT box FROM network").fetchone()
    assert all(len(secret) in (16, 32, 36) for secret in secrets.values()), secrets.keys()
    return secrets


def say_all(mesh, agents: list[MeshAgent], folder: Path) -> None:
    """Puts what agents and server answer and show into files."""
    folder.mkdir()
    for agent in agents:
        for words in (("status", "--json"), ("status",), ("peers", "--json"), ("peers",)):
            (folder / f"{agent.name} {' '.join(words)}").write_text(agent.cli(*words).stdout)
    for words in (("status",), ("peer", "list"), ("setup-key", "list")):
        for form in ((), ("--json",)):
            (folder / " ".join(("server", *words, *form))).write_text(
                mesh.server.cli(*words, *form).stdout)
    for name, pid in (*((agent.name, agent.process.pid) for agent in agents),
                      ("server", mesh.server.process.pid)):
        for what, content in visible_of(pid).items():
            (folder / f"{name} {what}").write_bytes(content)
