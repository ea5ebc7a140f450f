"""Who is let in without a post-quantum key: nobody if strict, marked if permissive."""

import json
import sqlite3
import time
from contextlib import closing

import pytest

from labkit import find_tool, ping, verdict, wait_until
from labkit.classify import classify
from labkit.measure import Watch, answers_within
from labkit.mesh import wait_for_mesh

# Drops what begins like a message of Rosenpass, as a middlebox or an attacker may.
BLOCK = """table inet block {
  chain arriving { type filter hook input priority 0; udp length > 8 @th,64,8 0x81-0x86 drop; }
}
"""


def join_all(mesh, mode, names=("alice", "bob")):
    agents = [mesh.agent(name) for name in names]
    for agent in agents:
        agent.join(mesh.key, mode)
    return agents


def edit(path, change):
    """Lets `change` have the JSON of a file, while nobody runs who owns it."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


# ---- strict --------------------------------------------------------------------------------------


def test_strict_sends_nothing_before_the_exchange(mesh):
    """Also while it is blocked: the pings of both sides wait, then all is post-quantum at once."""
    nft = find_tool("nft")
    for name in ("alice", "bob"):
        mesh.hosts[name].run(nft, "-f", "-", input=BLOCK)
    captures = [mesh.capture(name) for name in ("alice", "bob")]
    alice, bob = join_all(mesh, "--strict")
    wait_until(lambda: alice.peer(bob) and alice.peer(bob)["path"], 10, "a path without a key")
    watches = [Watch(alice.host, bob.v4), Watch(bob.host, alice.v4)]
    time.sleep(4)
    for one, other in ((alice, bob), (bob, alice)):
        peer = one.peer(other)
        assert not peer["post_quantum"] and peer["protection"] == "none"
        assert "no answer to the key exchange" in peer["why_not"]
    opened = time.time()
    for name in ("alice", "bob"):
        mesh.hosts[name].run(nft, "delete", "table", "inet", "block")
    wait_for_mesh([alice, bob], 5)
    answers_within(alice.host, bob.v4, 5)
    for watch in watches:
        watch.stop()
    for capture in captures:
        datagrams = mesh.by_host(capture.stop().datagrams())
        early = [d for d in datagrams if d.time < opened]
        assert [d for d in early if classify(d.payload).startswith("wireguard-")] == []
        assert len([d for d in early if classify(d.payload) == "rosenpass-InitHello"]) >= 3
        assert verdict.before_exchange(datagrams) == []
        assert any(classify(d.payload) == "wireguard-data" for d in datagrams)


# ---- entries without a key -----------------------------------------------------------------------


def list_without_keys(agents):
    """Hand-made maps: the agents' own, but every peer is listed as a stock server lists stock
    peers, without a Rosenpass key. And the agents never knew better: no pins."""
    def strip(memory):
        for peer in memory["map"]["peers"]:
            del peer["rosenpass_key"]

    def forget(state):
        state["pins"] = []

    for agent in agents:
        agent.stop()
        edit(agent.state / "map.json", strip)
        edit(agent.state / "state.json", forget)


def test_permissive_connects_to_a_peer_without_a_key_and_marks_it(mesh):
    agents = alice, bob = join_all(mesh, "--permissive")
    wait_for_mesh([alice, bob])
    bob_v4, alice_v6 = bob.v4, alice.v6
    time.sleep(1.5)  # what is worth remembering is written once a second
    mesh.server.stop()
    list_without_keys(agents)
    capture = mesh.capture("alice")
    for agent in agents:
        agent.start()
    answers_within(alice.host, bob_v4, 10)
    assert ping(bob.host, alice_v6, count=3).lost == 0
    for one, other in ((alice, bob), (bob, alice)):
        peer = one.peer(other)
        assert not peer["post_quantum"] and peer["protection"] == "plain"
        assert "no post-quantum key" in peer["why_not"] and peer["rosenpass_key"] is None
        assert "plain" in one.table()
    kinds = {classify(d.payload) for d in mesh.by_host(capture.stop().datagrams())}
    assert "wireguard-data" in kinds and not any(k.startswith("rosenpass-") for k in kinds)
    mesh.server.start()  # whose map has the keys: from now on they are not done without
    wait_for_mesh([alice, bob], 40)
    assert ping(alice.host, bob_v4, count=3).lost == 0


@pytest.mark.parametrize("strict", [("alice", "bob"), ("alice",)])
def test_strict_has_nothing_to_do_with_a_peer_without_a_key(mesh, strict):
    """Neither offers nor answers, whatever the other end would do."""
    agents = alice, bob = join_all(mesh, "--permissive")
    wait_for_mesh([alice, bob])
    bob_v4, alice_v4 = bob.v4, alice.v4
    time.sleep(1.5)  # what is worth remembering is written once a second
    mesh.server.stop()
    for agent in agents:
        if agent.name in strict:
            agent.up("--strict", "--timeout", "1", check=False)
            assert agent.status()["mode"] == "strict"
    list_without_keys(agents)
    capture = mesh.capture("alice")
    for agent in agents:
        agent.start()
    assert ping(alice.host, bob_v4, count=10, interval=0.2, wait=0.5).received == 0
    assert ping(bob.host, alice_v4, count=10, interval=0.2, wait=0.5).received == 0
    peer = alice.peer(bob)
    assert not peer["post_quantum"] and peer["protection"] == "none"
    assert "peer has no post-quantum key" in peer["why_not"]
    assert "no post-quantum key" in alice.table()
    sent = [d for d in mesh.by_host(capture.stop().datagrams()) if d.src == "alice"]
    assert [classify(d.payload) for d in sent if d.dst == "bob"] == []


def test_a_server_that_hides_a_pinned_key_is_not_believed(mesh):
    """In permissive mode too: what was post-quantum once does not become plain by itself."""
    alice, bob, carol = join_all(mesh, "--permissive", ("alice", "bob", "carol"))
    wait_for_mesh([alice, bob, carol])
    time.sleep(1.5)  # what is worth remembering is written once a second
    bob_v4 = bob.v4
    bob.stop()
    mesh.server.stop()
    with closing(sqlite3.connect(mesh.server.state / "server.db")) as database:
        database.execute("UPDATE peers SET key_name = NULL, key_complete = 0 WHERE name = 'bob'")
        database.commit()
    mesh.server.start()
    wait_until(lambda: "listed without one" in ((alice.peer(bob) or {}).get("why_not") or ""), 20,
               "alice refuses")
    assert "peers trust bob" in alice.peer(bob)["why_not"]
    assert ping(alice.host, bob_v4, count=2, wait=0.5).received == 0
    assert alice.peer(carol)["post_quantum"]
    bob.start()  # and says which key is his
    wait_for_mesh([alice, bob, carol], 30)
