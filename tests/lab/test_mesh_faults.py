"""A mesh in trouble: the server away, copied and changed keys, full disks, moves."""

import json
import shutil
import time

import pytest

from labkit import ping, start_ping, wait_until
from labkit.measure import Watch, answers_within
from labkit.mesh import MeshAgent, wait_for_mesh


@pytest.fixture(autouse=True)
def key_before_the_server_goes(mesh):
    assert mesh.key


# ---- the server ----------------------------------------------------------------------------------


def test_an_unreachable_server_is_named(mesh):
    alice = mesh.agent("alice")
    mesh.server.stop()
    result = alice.join(mesh.key, "--timeout", "2", check=False)
    assert result.returncode == 1
    assert mesh.server.address in result.stderr and "refused" in result.stderr
    mesh.server.start()
    wait_until(lambda: alice.network()["state"] == "up", 12, "alice, who goes on trying")


def test_a_wrong_fingerprint_is_refused_and_both_are_named(mesh):
    alice = mesh.agent("alice")
    url, _, fingerprint = mesh.key["server"].partition("#sha256:")
    wrong = "00" * 32
    result = alice.join({**mesh.key, "server": f"{url}#sha256:{wrong}"}, "--timeout", "5",
                        check=False)
    assert result.returncode == 1
    assert wrong in result.stderr and fingerprint in result.stderr
    assert mesh.server.peers() == []
    assert mesh.key["setup_key"] not in mesh.server.process.text()


def test_traffic_goes_on_while_the_server_is_away(mesh):
    alice, bob = mesh.joined("alice", "bob")
    running = start_ping(alice.host, bob.v4, interval=0.01)
    mesh.server.kill()
    wait_until(lambda: alice.network()["server"]["state"] != "connected", 5, "alice sees it")
    time.sleep(2)
    assert alice.peer(bob)["post_quantum"]
    mesh.server.start()
    wait_until(lambda: all(a.network()["state"] == "up"
                           and a.network()["server"]["state"] == "connected"
                           for a in (alice, bob)), 15, "both are back")
    result = running.finish()
    assert [n for n in result.missing if n != result.sent] == []
    carol = mesh.agent("carol")
    carol.join(mesh.key)
    wait_for_mesh([alice, bob, carol])


def test_a_restart_without_a_server_brings_the_pairs_up(mesh):
    alice, bob = mesh.joined("alice", "bob")
    bob_v4 = bob.v4
    time.sleep(1.5)  # what is worth remembering is written once a second
    mesh.server.kill()
    for agent in (alice, bob):
        agent.kill()
    for agent in (alice, bob):
        agent.start(wait=False)
    assert answers_within(alice.host, bob_v4, 10) < 5
    wait_for_mesh([alice, bob], 10)
    assert alice.network()["state"] == "offline"


def test_the_serial_never_goes_back(mesh):
    alice, = mesh.joined("alice")
    serials = [alice.network()["serial"]]
    for _ in range(3):
        mesh.server.kill()
        mesh.server.start()
        mesh.server.cli("peer", "rename", alice.network()["name"], f"alice{len(serials)}")
        wait_until(lambda: alice.network()["name"] == f"alice{len(serials)}", 15, "the rename")
        serials.append(alice.network()["serial"])
    assert serials == sorted(serials) and len(set(serials)) == 4


def test_a_restored_backup_of_the_database_freezes_nobody(mesh, tmp_path):
    alice, bob = mesh.joined("alice", "bob")
    mesh.server.stop()
    backup = tmp_path / "backup"
    shutil.copytree(mesh.server.state, backup)
    mesh.server.start()
    mesh.server.cli("peer", "rename", "bob", "robert")
    wait_until(lambda: alice.peer("robert"), 10, "the rename")
    mesh.server.stop()
    shutil.rmtree(mesh.server.state)
    shutil.copytree(backup, mesh.server.state)
    mesh.server.start()
    wait_until(lambda: alice.peer("bob"), 15, "the name of the backup")
    mesh.server.cli("peer", "rename", "bob", "rob")
    wait_until(lambda: alice.peer("rob"), 10, "changes after it")
    assert ping(alice.host, bob.v4, count=3).lost == 0


# ---- keys ----------------------------------------------------------------------------------------


def test_a_changed_rosenpass_key_needs_the_word_of_both_administrators(mesh):
    alice, bob = mesh.joined("alice", "bob")
    assert ping(alice.host, bob.v4, count=1).lost == 0
    bob.stop()
    for file in ("rosenpass.key", "rosenpass.pub"):
        (bob.state / file).unlink()
    scratch = MeshAgent(bob.host, mesh.folder / "scratch")
    scratch.start()
    scratch.join(mesh.server.setup_key(), "--hostname", "scratch")
    scratch.cli("logout")
    scratch.stop()
    for file in ("rosenpass.key", "rosenpass.pub"):
        shutil.copy2(scratch.state / file, bob.state / file)
    bob.start()
    wait_until(lambda: "peer trust" in json.dumps(bob.network()), 10, "the server's refusal")
    mesh.server.cli("peer", "trust", "bob")
    wait_until(lambda: bob.network()["state"] == "up", 20, "bob is let in")
    wait_until(lambda: "pinned" in ((alice.peer("bob") or {}).get("why_not") or ""), 10,
               "alice refuses")  # bob is not in her map until his new key is uploaded
    wait_until(lambda: "does not trust our key" in (bob.peer(alice)["why_not"] or ""), 5,
               "bob says so, too")
    assert ping(alice.host, bob.v4, count=2, wait=0.5).received == 0
    alice.cli("peers", "trust", "bob")
    wait_for_mesh([alice, bob], 10)


def test_a_copied_state_folder_is_found_out_and_does_not_flap(mesh):
    alice, bob = mesh.joined("alice", "bob")
    shutil.copytree(bob.state, mesh.folder / "carol" / "state",
                    ignore=shutil.ignore_patterns("lock"))
    copy = MeshAgent(mesh.hosts["carol"], mesh.folder / "carol")
    copy.start()
    wait_until(lambda: "copied" in json.dumps(copy.network()), 15, "the copy is told")
    running = start_ping(alice.host, bob.v4, interval=0.02)
    time.sleep(4)
    result = running.finish()
    assert [n for n in result.missing if n != result.sent] == []
    assert bob.network()["server"]["state"] == "connected"


# ---- the machine ---------------------------------------------------------------------------------


def test_a_host_that_moves_to_another_address_is_reached_there(mesh):
    alice, bob = mesh.joined("alice", "bob")
    watches = [Watch(alice.host, bob.v4), Watch(bob.host, alice.v4)]
    end = mesh.network.move(bob.host, 77)
    moved = time.monotonic()
    took = max(w.first_after(moved, 20) for w in watches) - moved
    print(f"after the move: {took:.2f} s")
    assert took < 10
    wait_until(lambda: any(end_address in alice.peer(bob)["path"]["address"]
                           for end_address in (end.v4, end.v6)), 10, "the new path")
    for watch in watches:
        watch.stop()


@pytest.mark.parametrize("kilobytes", [16, 520, 700])
def test_a_full_disk_is_named_and_nothing_half_joined(mesh, kilobytes):
    """The state folder lies on a small disk, in a mount namespace of trellisd's own."""
    alice = mesh.agent("alice", start=False)
    alice.state.mkdir(mode=0o700)
    script = ('mount -t tmpfs -o "size=$2k,mode=0700" tmpfs "$1" && shift 2 && exec "$@"')
    alice.process = alice.host.spawn(
        "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
        str(alice.state), str(kilobytes), alice._programs.find("trellisd"), "--state",
        str(alice.state), "--socket", str(alice.socket), "--foreground", name="trellisd")
    alice.process.wait_for(alice.answers, 10)
    result = alice.join(mesh.key, "--timeout", "5", check=False)
    if result.returncode == 0:
        assert kilobytes > 520
        assert alice.network()["state"] == "up"
    else:
        assert "full" in result.stderr, result.stderr
        assert mesh.server.peers() == []


def test_an_unplugged_cable_heals(mesh):
    alice, bob = mesh.joined("alice", "bob")
    mesh.network.down(bob.host)
    wait_until(lambda: bob.network()["server"]["state"] != "connected", 60, "bob sees it", every=0.5)
    plugged = time.monotonic()
    mesh.network.up(bob.host)
    watch = Watch(alice.host, bob.v4)
    assert watch.first_after(plugged, 30) - plugged < 15
    wait_until(lambda: bob.network()["server"]["state"] == "connected", 30, "bob at the server")
    watch.stop()
