"""A server and hosts that join it: names, paths, protection, what goes over the wire."""

import base64
import itertools
import json
import re
import time

import pytest

from labkit import CommandFailed, iperf3, ping, search_files, start_ping, verdict, wait_until
from labkit.classify import classify
from labkit.fixtures import NOBODY
from labkit.leaks import visible_of
from labkit.measure import Watch, answers_within
from labkit.mesh import DOMAIN, agent_pid, end_by_itself, up_by_itself, wait_for_mesh
from labkit.mesh_leaks import PRIVATE_FILES, say_all, secrets_of

TCP = 6


# ---- three hosts ---------------------------------------------------------------------------------


def test_s21_three_hosts_join_and_reach_each_other_by_name(mesh):
    agents = mesh.joined("alice", "bob", "carol")
    for agent in agents:
        agent.use_resolver()
    for source, target in itertools.permutations(agents, 2):
        for family, name in itertools.product(("-4", "-6"), (target.name,
                                                             f"{target.name}.{DOMAIN}")):
            result = source.named("ping", family, "-c", "2", "-i", "0.05", "-W", "1", name)
            assert "2 received" in result.stdout
        peer = source.peer(target)
        assert peer["post_quantum"] and peer["path"]["kind"]
        assert peer["path"]["address"].rsplit(":", 1)[0].strip("[]") in mesh.owners()
        answer = json.loads(source.cli("ping", target.name, "-c", "3", "-i", "0", "--json").stdout)
        assert answer["received"] == 3 and all(a["post_quantum"] for a in answer["answers"])


def test_the_first_packet_is_post_quantum_and_nothing_else_is_on_the_wire(mesh):
    captures = [mesh.capture(name) for name in ("alice", "bob")]
    alice, bob = mesh.joined("alice", "bob")
    assert ping(alice.host, bob.v4, count=10, interval=0.02).lost == 0
    assert ping(bob.host, alice.v6, count=10, interval=0.02).lost == 0
    server = mesh.network.end(mesh.hosts["server"])
    for capture in captures:
        datagrams = mesh.by_host(capture.stop().datagrams())
        kinds = {classify(d.payload) for d in datagrams}
        assert {"stun", "rosenpass-InitHello", "wireguard-data"} <= kinds
        assert verdict.before_exchange(datagrams) == []
        assert verdict.unknown(datagrams) == []
        assert verdict.largest_of_exchange(datagrams) <= 1232
        sources = verdict.ports(datagrams)
        assert all(len(ports) == 1 for ports in sources.values()), sources
        streams = [p for p in capture.packets() if p.protocol == TCP]
        assert streams and all(server.v4 in (p.src, p.dst) for p in streams)
        assert not capture.contains(b"InitHello") and not capture.contains(b"trellis.v1")


def test_the_line_to_the_server_is_post_quantum(mesh):
    alice, = mesh.joined("alice")
    assert "X25519MLKEM768" in alice.network()["server"]["tls"]
    assert "X25519MLKEM768" in mesh.server.process.text()


def test_status_and_peers_tell_all_of_it(mesh):
    alice, bob = mesh.joined("alice", "bob")
    table = alice.table()
    for part in ("server", mesh.server.address, "signal", "bob", bob.v4, "yes: mceliece460896"):
        assert part in table
    listed = {peer["name"]: peer for peer in mesh.server.peers()}
    assert set(listed) == {"alice", "bob"}
    assert alice.v4 in json.dumps(listed["alice"])
    assert "bob" in alice.cli("peers").stdout


def test_up_starts_the_agent_and_shows_its_steps(mesh):
    alice = mesh.agent("alice", start=False)
    text = up_by_itself(alice, mesh.key)
    steps = re.findall(r"^  (keys|connect|login|network map) +[\d.]+ m?s", text, re.M)
    assert steps == ["keys", "connect", "login", "network map"], text
    assert "up: alice" in text
    assert agent_pid(alice.host) is not None
    assert alice.network()["state"] == "up"
    end_by_itself(alice, 15)
    assert not alice.host.has_interface("trellis0")


def test_a_large_transfer_goes_through(mesh):
    alice, bob = mesh.joined("alice", "bob")
    assert iperf3(alice.host, bob.host, bob.v4, seconds=1).bits_per_second > 20e6
    assert alice.peer(bob)["post_quantum"]


def test_foreign_names_are_refused_and_unknown_ones_unknown(mesh):
    alice, = mesh.joined("alice")
    alice.use_resolver()
    script = ("import json, socket\n"
              "def ask(name):\n"
              "    try: return sorted({a[4][0] for a in socket.getaddrinfo(name, None)})\n"
              "    except socket.gaierror as error: return error.errno\n"
              f"print(json.dumps([ask('alice'), ask('nobody.{DOMAIN}'), ask('example.org')]))\n")
    own, unknown, foreign = json.loads(alice.named("python3", "-I", "-c", script).stdout)
    assert set(own) == {alice.v4, alice.v6}
    assert unknown < 0 and foreign < 0


# ---- leaving, and coming back --------------------------------------------------------------------


def test_down_closes_the_tunnel_and_up_opens_it(mesh):
    alice, bob = mesh.joined("alice", "bob")
    bob_v4 = bob.v4
    bob.down()
    assert not bob.host.has_interface("trellis0")
    assert bob.network()["state"] == "down"
    assert ping(alice.host, bob_v4, count=2, wait=0.5).received == 0
    watch = Watch(alice.host, bob_v4)
    bob.up()
    assert bob.v4 == bob_v4
    wait_for_mesh([alice, bob], 5)
    answers_within(alice.host, bob_v4, 5)
    watch.stop()


def test_down_survives_a_restart_of_the_agent(mesh):
    alice, = mesh.joined("alice")
    alice.down()
    alice.stop()
    alice.start()
    assert alice.network()["state"] == "down"
    assert not alice.host.has_interface("trellis0")
    alice.up()


def test_logout_is_forgotten_by_all(mesh):
    alice, bob = mesh.joined("alice", "bob")
    bob.cli("logout")
    assert bob.network()["state"] == "down"
    wait_until(lambda: alice.peer("bob") is None, 5, "bob gone from alice's map")
    assert [peer["name"] for peer in mesh.server.peers()] == ["alice"]
    refused = bob.up(check=False)
    assert refused.returncode == 1 and "--server" in refused.stderr
    bob.join(mesh.key)
    wait_for_mesh([alice, bob])


def test_a_removed_host_is_told_and_the_others_forget_it(mesh):
    alice, bob = mesh.joined("alice", "bob")
    bob_v4 = bob.v4
    mesh.server.cli("peer", "remove", "bob")
    wait_until(lambda: alice.peer("bob") is None, 5, "bob gone from alice's map")
    assert ping(alice.host, bob_v4, count=2, wait=0.5).received == 0
    wait_until(lambda: bob.network()["state"] == "refused", 15, "bob told")
    assert "removed" in json.dumps(bob.network()) and "setup key" in json.dumps(bob.network())


def test_a_rename_reaches_everybody(mesh):
    alice, bob = mesh.joined("alice", "bob")
    running = start_ping(alice.host, bob.v4, interval=0.02)
    mesh.server.cli("peer", "rename", "bob", "robert")
    wait_until(lambda: alice.peer("robert"), 5, "the new name")
    wait_until(lambda: bob.network()["name"] == "robert", 5, "its own new name")
    alice.use_resolver()
    assert "1 received" in alice.named("ping", "-c", "1", "-W", "1", "robert").stdout
    assert alice.named("ping", "-c", "1", "-W", "1", "bob", check=False).returncode != 0
    result = running.finish()
    assert [n for n in result.missing if n != result.sent] == []


def test_two_hosts_of_one_name_get_two_names(mesh):
    alice = mesh.agent("alice")
    alice.join(mesh.key)
    bob = mesh.agent("bob")
    bob.join(mesh.key, "--hostname", "alice")
    names = sorted(peer["name"] for peer in mesh.server.peers())
    assert names == ["alice", "alice-2"]
    assert bob.network()["name"] == "alice-2"


# ---- setup keys ----------------------------------------------------------------------------------


def refused(agent, key, *parts):
    result = agent.join(key, "--timeout", "10", check=False)
    assert result.returncode == 1, result
    for part in parts:
        assert part in result.stderr, result.stderr
    assert key["setup_key"] not in result.stdout + result.stderr
    assert not agent.host.has_interface("trellis0")
    return result


def test_s20_a_one_off_key_admits_one_machine(mesh):
    key = mesh.server.setup_key()
    alice, bob = mesh.agent("alice"), mesh.agent("bob")
    alice.join(key)
    refused(bob, key, "setup key")
    assert [peer["name"] for peer in mesh.server.peers()] == ["alice"]
    alice.stop()  # whoever has joined needs no key any more
    alice.start()
    wait_until(lambda: alice.network()["state"] == "up", 5, "alice up again")


def test_bad_setup_keys_are_told_apart_in_the_log_only(mesh):
    alice = mesh.agent("alice")
    wrong = {**mesh.key, "setup_key": "00000000-0000-4000-8000-000000000000"}
    revoked = mesh.server.setup_key("--name", "lost")
    mesh.server.cli("setup-key", "revoke", revoked["id"])
    expired = mesh.server.setup_key("--expires", "1s")
    spent = mesh.server.setup_key()
    mesh.agent("bob").join(spent)
    wait_until(lambda: "expired" in json.dumps(mesh.server.json("setup-key", "list")), 5, "expiry")
    answers = {refused(alice, key, "setup key").stderr.splitlines()[-1]
               for key in (wrong, revoked, expired, spent)}
    assert len(answers) == 1, answers
    log = mesh.server.process.text()
    for word in ("unknown", "revoked", "expired", "used"):
        assert re.search(rf"setup.key.*{word}|{word}.*setup.key", log), word


def test_the_limit_of_a_reusable_key_holds(mesh):
    key = mesh.server.setup_key("--reusable", "--limit", "2")
    for name in ("alice", "bob"):
        mesh.agent(name).join(key)
    refused(mesh.agent("carol"), key, "setup key")


# ---- secrets -------------------------------------------------------------------------------------


def test_no_secret_is_written_anywhere(mesh, tmp_path):
    """Logs at trace level, database, JSON, tables, arguments, environment, what agents remember."""
    mesh.server.stop()
    mesh.server.start(log_level="trace")
    agents = [mesh.agent(name, start=False) for name in ("alice", "bob")]
    said = tmp_path / "said"
    for agent in agents:
        agent.start(log_level="trace")
        joining = agent.host.spawn(agent._programs.find("trellis"), *agent.up_words(mesh.key),
                                   "--socket", str(agent.socket), name="up")
        shown = wait_until(lambda: (seen := visible_of(joining.pid))
                           and b"--setup-key-file" in seen["cmdline"] and seen, 5, "its arguments")
        (tmp_path / f"{agent.name}.up").write_bytes(shown["cmdline"] + shown["environ"])
        assert joining.wait(20) == 0
    wait_for_mesh(agents)
    agents[0].cli("ping", "bob", "-c", "1")
    time.sleep(1.5)  # what is worth remembering is written once a second
    say_all(mesh, agents, said)
    mesh.server.cli("peer", "rename", "bob", "robert")

    secrets = secrets_of(mesh, agents)
    searched = [p for p in tmp_path.rglob("*") if p.is_file() and p.name not in PRIVATE_FILES]
    names = {path.name for path in searched}
    assert {"server.db", "server.db-wal", "state.json", "map.json", "network.json", "alice.up",
            "alice cmdline", "server environ", "server setup-key list --json"} <= names
    assert all(" debug " in p.read_text() for p in searched
               if p.name in ("alice.trellisd.log", "bob.trellisd.log", "server.trellis-server.2.log"))
    # The box key must survive the server, so its database holds it, and is nobody else's to read.
    leaks = search_files(searched, secrets)
    assert [leak for leak in leaks if not leak.where.startswith(f"{mesh.server.state}/server.db")
            or leak.secret != "box key"] == []
    for name, secret in secrets.items():  # the control: whatever leaked would have been found
        planted = tmp_path / "planted"
        for text in (secret, secret.hex().encode(), base64.b64encode(b"x" + secret)):
            planted.write_bytes(b"2026-01-01 debug box: key=" + text + b" state=up\n")
            assert [leak.secret for leak in search_files([planted], {name: secret})] == [name]
    for path in (mesh.server.state, *(agent.state for agent in agents)):
        for file in path.rglob("*"):
            if file.is_file() and file.suffix != ".pub":
                assert file.stat().st_mode & 0o007 == 0 or path.stat().st_mode & 0o077 == 0, file


def test_another_user_may_look_at_nothing_and_change_nothing(mesh, for_nobody):
    alice, = mesh.joined("alice")
    program = for_nobody("trellis")
    for words in (("status",), ("down",), ("logout",), ("up",)):
        result = alice.host.run(*NOBODY, program, *words, "--socket", str(alice.socket),
                                check=False)
        assert result.returncode == 1 and "root" in result.stderr
    assert alice.network()["state"] == "up"


def test_leftover_words_of_a_failed_join_do_not_hold_the_next_one_up(mesh):
    alice = mesh.agent("alice")
    with pytest.raises(CommandFailed):
        alice.join({**mesh.key, "setup_key": "00000000-0000-4000-8000-000000000000"})
    alice.join(mesh.key)
    assert alice.network()["state"] == "up"
