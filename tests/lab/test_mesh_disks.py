"""Files of another version, and a server whose disk is full."""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from labkit import ping, wait_until
from labkit.mesh import Programs, wait_for_mesh

NEWER = 99


def set_version(path: Path, version: int) -> int:
    """Returns the one before."""
    content = json.loads(path.read_text())
    before, content["version"] = content["version"], version
    content["of a later time"] = {"unheard": ["of"]}
    path.write_text(json.dumps(content))
    return before


# ---- versions ------------------------------------------------------------------------------------


def test_a_database_of_a_newer_server_is_refused_and_left_alone(mesh):
    alice, bob = mesh.joined("alice", "bob")
    database = mesh.server.state / "server.db"
    mesh.server.stop()
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("INSERT INTO schema_migrations VALUES (?, 'of a later time')", (NEWER,))
        opened.commit()
    before = database.read_bytes()
    process = mesh.server.start(wait=False)
    assert process.wait(10) == 1
    said = process.text()
    assert f"schema {NEWER}" in said and "newer trellis-server" in said and str(database) in said
    assert database.read_bytes() == before
    assert ping(alice.host, bob.v4, count=3).lost == 0
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("DELETE FROM schema_migrations WHERE version = ?", (NEWER,))
        opened.commit()
    mesh.server.start()
    wait_until(lambda: all(a.network()["server"]["state"] == "connected" for a in (alice, bob)), 20,
               "both at the server again")


def test_a_map_of_a_newer_agent_is_fetched_again(mesh):
    """A newer agent was tried, and the one before is back: only what can be had again is lost."""
    alice, bob = mesh.joined("alice", "bob")
    time.sleep(1.5)  # what is worth remembering is written once a second
    alice.stop()
    set_version(alice.state / "map.json", NEWER)
    alice.start()
    wait_for_mesh([alice, bob], 15)
    assert "map was written by a newer trellisd" in alice.process.text()


@pytest.mark.parametrize("file", ["network.json", "state.json"])
def test_what_cannot_be_had_again_is_refused_and_left_alone(mesh, file):
    """The pins and the membership: they are not read by halves, and not written over."""
    alice, bob = mesh.joined("alice", "bob")
    alice.stop()
    path = alice.state / file
    before = path.read_bytes()
    set_version(path, NEWER)
    newer = path.read_bytes()
    process = alice.start(wait=False)
    assert process.wait(10) == 1
    assert "newer trellisd" in process.text() and file in process.text()
    assert path.read_bytes() == newer
    path.write_bytes(before)
    alice.start()
    wait_for_mesh([alice, bob], 15)


@pytest.fixture
def other_build() -> Path:
    """Programs of another version."""
    folder = Path(os.environ.get("TRELLIS_OTHER_BUILD", "/nonexistent"))
    if not (folder / "trellisd").exists():
        pytest.skip("set TRELLIS_OTHER_BUILD to a folder with trellis, trellisd and trellis-server "
                    "of another version")
    return folder


@pytest.mark.long
def test_each_program_may_be_of_another_version(mesh, other_build):
    """Agents newer than the server, the other way round, of two versions, and all of it back."""
    agents = alice, bob, carol = mesh.joined("alice", "bob", "carol")
    ours, theirs = Programs(), Programs(other_build)

    def replace(one, programs):
        one.stop()
        one._programs = programs
        one.start()
        wait_until(lambda: all(a.network()["state"] == "up" and
                               a.network()["server"]["state"] == "connected" for a in agents), 40,
                   "all up")
        wait_for_mesh(agents, 20)
        for a, b in ((alice, bob), (bob, carol), (carol, alice)):
            assert ping(a.host, b.v4, count=3).lost == 0

    for programs in (theirs, ours):
        for one in (alice, mesh.server, bob, carol):
            replace(one, programs)
            name = f"carol-{time.monotonic_ns()}"
            mesh.server.cli("peer", "rename", carol.network()["name"], name)
            wait_until(lambda: alice.peer(name) and bob.peer(name), 10, "a change of the map")
            mesh.server.cli("peer", "rename", name, "carol")
            wait_until(lambda: alice.peer("carol") and bob.peer("carol"), 10, "the next one")


# ---- a full disk ---------------------------------------------------------------------------------


class SmallDisk:
    """A disk of so many KiB as the server's state folder. It is mounted in a mount namespace of its
    own, which a sleeping program holds; the server runs inside of it."""

    def __init__(self, mesh, kilobytes: int):
        mesh.server.stop()
        self._folder = mesh.server.state
        script = 'mount -t tmpfs -o "size=$2k,mode=0700" tmpfs "$1" && echo mounted && exec sleep 900'
        self._holder = mesh.hosts["server"].spawn(
            "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
            str(self._folder), str(kilobytes), name="disk")
        self._holder.wait_for("mounted")
        mesh.server.prefix = ("nsenter", "-t", str(self._holder.pid), "--mount")
        mesh.server.start()

    @property
    def _filler(self) -> Path:
        """From outside of the mount namespace."""
        return Path(f"/proc/{self._holder.pid}/root{self._folder}/filler")

    def fill(self) -> None:
        with open(self._filler, "ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def free(self) -> None:
        self._filler.unlink()


def everything(server) -> list[dict]:
    """What the server keeps, without what time changes."""
    keys = [{k: v for k, v in key.items() if not k.endswith("_seconds")}
            for key in server.json("setup-key", "list")["setup_keys"]]
    peers = [{k: peer[k] for k in ("name", "addresses", "wireguard_key", "setup_key")}
             for peer in server.peers()]
    return [*keys, *peers]


def test_a_full_disk_of_the_server_is_named_and_nothing_is_promised(mesh):
    disk = SmallDisk(mesh, 3000)
    alice, bob = mesh.joined("alice", "bob")
    one_off = mesh.server.setup_key()
    carol = mesh.agent("carol")
    disk.fill()
    kept = everything(mesh.server)
    for words in (("setup-key", "create"), ("peer", "rename", "bob", "robert"),
                  ("setup-key", "revoke", one_off["id"]), ("peer", "remove", "alice")):
        refused = mesh.server.cli(*words, check=False)
        assert refused.returncode == 1 and "disk is full" in refused.stderr, (words, refused)
    refused = carol.join(one_off, "--timeout", "3", check=False)
    assert refused.returncode == 1, refused
    print(f"carol is told: {refused.stderr.strip().splitlines()[-1]}")
    assert one_off["setup_key"] not in refused.stderr + mesh.server.process.text()
    carol.down()  # or she would be in as soon as there is room: she goes on trying
    assert everything(mesh.server) == kept
    assert ping(alice.host, bob.v4, count=3).lost == 0
    assert all(a.network()["server"]["state"] == "connected" for a in (alice, bob))

    mesh.server.kill()  # what it shows afterwards is what is on the disk
    disk.free()
    mesh.server.start()
    assert everything(mesh.server) == kept
    carol.join(one_off)
    wait_for_mesh([alice, bob, carol], 30)
    mesh.server.cli("peer", "rename", "bob", "robert")
