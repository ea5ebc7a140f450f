"""Public keys of peers on their way: half a megabyte each, which travels once."""

import pytest

from labkit import wait_until
from labkit.mesh import wait_for_mesh

KEY_BYTES = 524_160
ENOUGH = 200_000  # of a key, before the agent ends
SLOW = ("tbf", "rate", "2mbit", "burst", "20kb", "latency", "3s")


class SlowServer:
    """The server sends a key in two seconds."""

    def __init__(self, mesh):
        self._host = mesh.hosts["server"]
        self._device = ("dev", mesh.network.end(self._host).interface, "root")

    def __enter__(self):
        made = self._host.run("tc", "qdisc", "add", *self._device, *SLOW, check=False)
        if made.returncode != 0:
            pytest.skip(f"this kernel cannot slow a link down: {made.stderr.strip()}")

    def __exit__(self, *_):
        self._host.run("tc", "qdisc", "del", *self._device)


def test_a_fetch_that_broke_goes_on_after_a_restart(mesh):
    alice, bob = mesh.joined("alice", "bob")
    bob.kill()
    folder = bob.state / "peer-keys"
    for key in folder.glob("*.pub"):
        key.unlink()

    def part() -> int:
        return sum(path.stat().st_size for path in folder.glob("*.part"))

    with SlowServer(mesh):
        bob.start()
        wait_until(lambda: part() > ENOUGH, 15, "some of the key")
        keys = bob.network()["keys"]["fetches"]
        assert len(keys) == 1 and ENOUGH < keys[0]["bytes"] < KEY_BYTES == keys[0]["total"], keys
        table = bob.cli("status").stdout
        assert "1 of peers from there, " in table, table
        bob.kill()
    kept = part()
    assert ENOUGH < kept < KEY_BYTES
    bob.start()
    wait_for_mesh([alice, bob], 15)
    received = bob.network()["key_bytes_received"]
    print(f"{kept} bytes were kept, {received} came after the restart")
    assert received == KEY_BYTES - kept
    assert part() == 0
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_key_that_is_damaged_on_the_disk_is_fetched_again(mesh):
    alice, bob = mesh.joined("alice", "bob")
    bob.kill()
    key, = (bob.state / "peer-keys").glob("*.pub")
    key.write_bytes(bytes(KEY_BYTES))
    bob.start()
    wait_for_mesh([alice, bob], 15)
    assert bob.network()["key_bytes_received"] == KEY_BYTES
