"""Two agents that know each other from a file: what their users and their wires see."""

import base64
import os
import random
import signal
import statistics
import time

import pytest

from labkit import CommandFailed, find_program, ping, search_files, start_ping, verdict, wait_until
from labkit.leaks import visible_of
from labkit.measure import answers_within
from labkit.trellis import make_pair, wait_for_pair
from labkit.wireguard import parse_dump, unique_interface

MARKER = bytes.fromhex("7e115ace" * 4)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "agents"


@pytest.fixture(autouse=True)
def programs(tun):
    find_program("trellisd")
    find_program("trellis")


def start_both(a, b, timeout=10):
    a.start()
    b.start()
    return wait_for_pair(a, b, timeout)


@pytest.mark.parametrize("family", [4, 6])
def test_the_wire_from_the_first_packet_on(lab, two_hosts, folder, family):
    """S27, S35, S36: exchange first, one port, nothing in clear, nothing too large."""
    alice, bob, link = two_hosts
    capture = lab.capture(alice, link, "udp")
    a, b = make_pair(alice, bob, link, folder, family=family)
    start_both(a, b)
    pattern = MARKER.hex()
    for source, address in ((a, b.v4), (a, b.v6), (b, a.v4), (b, a.v6)):
        result = source.host.run("ping", "-n", "-c", "3", "-i", "0.1", "-p", pattern, address)
        assert " 0% packet loss" in result.stdout
    capture.stop()
    seen = capture.datagrams()
    assert verdict.completions(seen)
    assert verdict.before_exchange(seen) == []
    assert all(len(ports) == 1 for ports in verdict.ports(seen).values())
    assert verdict.largest_of_exchange(seen) <= 1232
    assert verdict.unknown(seen) == []
    assert not capture.contains(MARKER)


def test_wg_shows_the_pair_and_may_not_change_it(two_hosts, folder):
    """S6: the key of the pair is the same at both ends, and nobody can take it away."""
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    for agent in (a, b):
        agent.interface = unique_interface()
        agent.write()
    start_both(a, b)
    answers_within(alice, b.v4, 5)

    def shown(agent, other):
        dump = agent.host.run("wg", "show", agent.interface, "dump").stdout
        return parse_dump(dump).peers[other.keys["wireguard_key"]]

    assert shown(a, b).preshared_key == shown(b, a).preshared_key
    assert shown(a, b).preshared_key is not None
    assert shown(a, b).latest_handshake > 0
    assert set(shown(a, b).allowed_ips) == {f"{b.v4}/32", f"{b.v6}/128"}
    for change in (["preshared-key", "/dev/null"], ["remove"]):
        refused = alice.run("wg", "set", a.interface, "peer", b.keys["wireguard_key"], *change,
                            check=False)
        assert refused.returncode != 0
        assert "Operation not permitted" in refused.stderr
    assert shown(a, b).preshared_key == shown(b, a).preshared_key


def test_one_side_may_know_no_endpoint(two_hosts, folder):
    """S111: learned from authenticated messages."""
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder, both_know=False)
    start_both(a, b)
    assert ping(bob, a.v4, count=5).lost == 0


def test_s39_strict_while_the_exchange_is_blocked(impaired_hosts, folder):
    alice, bob, link, wire = impaired_hosts
    wire.set(drop=["rosenpass"])
    a, b = make_pair(alice, bob, link, folder)
    a.start()
    b.start()
    assert ping(alice, b.v4, count=20, interval=0.2).received == 0
    for one, other in ((a, b), (b, a)):
        peer = one.peer(other)
        assert peer["post_quantum"] is False and peer["protection"] == "none"
        assert "no answer to the key exchange" in peer["why_not"]
        assert peer["received_bytes"] == 0
        assert other.name in one.table() and "no answer" in one.table()
    wire.set()
    assert wait_for_pair(a, b, 5) < 5
    assert ping(alice, b.v4, count=5).lost == 0


def test_a_peer_whose_key_is_not_the_pinned_one_is_refused_on_both_ends(two_hosts, folder):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    a.stop()
    b.stop()
    # bob's machine was replaced: same WireGuard key, another Rosenpass key.
    other = folder / "new-bob"
    b.cli("keys", "new", "--state", other)
    for name in ("rosenpass.key", "rosenpass.pub"):
        (b.state / name).write_bytes((other / name).read_bytes())
    a.start()
    b.start()
    assert ping(alice, b.v4, count=10, interval=0.2).received == 0
    assert "is not the pinned" in a.peer(b)["why_not"]
    wait_until(lambda: "does not trust our key" in (b.peer(a)["why_not"] or ""), 5, "bob says so")
    a.cli("peers", "trust", "bob", "--socket", a.socket)
    assert wait_for_pair(a, b, 5) < 5


def test_renewal_is_seen_by_nobody(two_hosts, folder):
    """The same over minutes is `scripts/demo --watch`; here the exchange is only asked for."""
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    running = start_ping(alice, b.v4, interval=0.01)
    time.sleep(3)
    result = running.finish()
    assert [n for n in result.missing if n != result.sent] == []


@pytest.mark.long
def test_s9_five_renewals_lose_no_ping(two_hosts, folder):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    running = start_ping(alice, b.v4, interval=0.006)  # 100 Hz and more: see scripts/support/demo.py
    sessions = set()
    deadline = time.monotonic() + 700
    while a.peer(b)["renewals"] < 5:
        assert time.monotonic() < deadline
        time.sleep(1)
        peer = a.peer(b)
        assert peer["post_quantum"]
        assert peer["session_key_age_seconds"] < 180
        if abs(peer["session_key_age_seconds"] - peer["current_key_age_seconds"]) < 0.01:
            sessions.add(peer["renewals"])
    result = running.finish()
    assert [n for n in result.missing if n != result.sent] == []
    assert {1, 2, 3, 4} <= sessions


def restart_rounds(alice, bob, a, b, rounds, seed):
    """Restarts one end or both at random moments; seconds until traffic is back both ways."""
    draw = random.Random(seed)
    times = []
    for number in range(rounds):
        time.sleep(draw.uniform(0, 3))
        which = [(a,), (b,), (a, b)][number % 3]
        for agent in which:
            if draw.random() < 0.5:
                agent.kill()
            else:
                assert agent.stop() == 0
        for agent in which:
            time.sleep(draw.uniform(0, 0.3))
            agent.start(wait=False)
        started = time.monotonic()
        answers_within(alice, b.v4, 10)
        answers_within(bob, a.v4, 10)
        times.append(time.monotonic() - started)
    return times


def test_restarts_are_no_event(two_hosts, folder):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    times = restart_rounds(alice, bob, a, b, rounds=3, seed=1)
    assert max(times) < 10, times  # the limits proper are those of the long run


@pytest.mark.long
def test_twenty_restarts(two_hosts, folder, record_property):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    times = restart_rounds(alice, bob, a, b, rounds=20, seed=2)
    print(f"restarts: median {statistics.median(times):.2f} s, most {max(times):.2f} s")
    record_property("median", statistics.median(times))
    assert statistics.median(times) < 0.7 * 3 and max(times) < 3 * 3, times


def test_s52_a_killed_agent_lets_nothing_out_in_clear(lab, two_hosts, folder):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    # A default route over the underlay is what would carry the packets away.
    alice.route("0.0.0.0/0", link.address(bob).v4)
    alice.route("::/0", link.address(bob).v6)
    capture = lab.capture(alice, link)
    a.kill()
    for address in (b.v4, b.v6):
        refused = alice.run("ping", "-n", "-c", "2", "-W", "1", address, check=False)
        assert refused.returncode != 0 and "route" in (refused.stdout + refused.stderr).lower()
    capture.stop()
    overlay = [p for p in capture.packets() if p.dst in (b.v4, b.v6)]
    assert overlay == []
    assert "unreachable" in alice.ip("-4", "route") and "unreachable" in alice.ip("-6", "route")
    # A start that fails must not open the way either.
    blocker = alice.spawn("python3", "-c", "import socket, time\n"
                          "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                          "s.bind(('0.0.0.0', 51820))\nprint('bound', flush=True)\n"
                          "time.sleep(60)", name="blocker")
    blocker.wait_for("bound", 10)
    a.start(wait=False)
    assert a.process.wait(10) == 1
    assert "unreachable" in alice.ip("-4", "route") and "unreachable" in alice.ip("-6", "route")
    blocker.stop()
    a.start()
    wait_for_pair(a, b)
    assert ping(alice, b.v4, count=3).lost == 0
    assert a.stop() == 0
    assert not alice.has_interface("trellis0")
    assert "unreachable" not in alice.ip("route", "show", "table", "all")


def test_a_clean_stop_leaves_nothing(two_hosts, folder):
    alice, bob, link = two_hosts
    before = (alice.ip("route", "show", "table", "all"), alice.ip("-6", "route", "show", "table", "all"))
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    assert a.stop() == 0
    assert (alice.ip("route", "show", "table", "all"),
            alice.ip("-6", "route", "show", "table", "all")) == before
    assert not a.socket.exists()


def test_reload_disturbs_no_pair_that_did_not_change(lab, folder):
    alice, bob, carol = lab.host("alice"), lab.host("bob"), lab.host("carol")
    link = lab.link(alice, bob)
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    from labkit.trellis import Agent
    c = Agent(carol, 3, folder / "carol")
    running = start_ping(alice, b.v4, interval=0.01)
    age = a.peer(b)["session_age_seconds"]
    a.add_peer(c, None)
    a.process.signal(signal.SIGHUP)
    wait_until(lambda: len(a.status()["peers"]) == 2, 5, "two peers")
    a.peers.pop()
    a.write()
    a.cli("reload", "--socket", a.socket)
    wait_until(lambda: len(a.status()["peers"]) == 1, 5, "one peer")
    assert a.peer(b)["session_age_seconds"] >= age
    a.config.write_text(a.config.read_text() + "nonsense = [\n")
    a.process.signal(signal.SIGHUP)
    a.process.wait_for(r"peers.toml: line \d+, column \d+", 5)
    assert a.peer(b)["post_quantum"]
    result = running.finish()
    assert [n for n in result.missing if n != result.sent] == []


def test_state_that_could_not_be_written_is_written_later(two_hosts, folder):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    state = a.state / "state.json"
    state.unlink()
    state.mkdir()  # nothing can be put in its place
    a.cli("peers", "trust", b.name, "--socket", a.socket)
    assert any("state.json" in warning for warning in a.status()["warnings"])
    state.rmdir()
    wait_until(state.is_file, 8, "the state")
    assert b.name in state.read_text()
    assert a.status()["warnings"] == []


def test_the_path_follows_a_peer_that_moves(two_hosts, folder):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    end = link.end(alice)
    moved = end.v4.rsplit(".", 1)[0] + ".77"
    alice.ip("addr", "del", f"{end.v4}/24", "dev", end.interface)
    alice.ip("addr", "add", f"{moved}/24", "dev", end.interface)
    took = answers_within(alice, b.v4, 10)
    assert took < 10
    wait_until(lambda: moved in b.peer(a)["endpoint"], 5, "bob has followed")


def test_no_secret_in_logs_or_status_or_argv(two_hosts, folder, tmp_path):
    """S13: everything at trace level, searched for every secret that is known."""
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    for agent in (a, b):
        agent.start(log_level="trace")
    wait_for_pair(a, b)
    ping(alice, b.v4, count=5)
    secrets = {}
    for agent in (a, b):
        text = (agent.state / "wireguard.key").read_text()
        secrets[f"{agent.name} wireguard"] = base64.b64decode(text)
        raw = (agent.state / "rosenpass.key").read_bytes()
        secrets[f"{agent.name} rosenpass seed"] = raw[:32]
        secrets[f"{agent.name} rosenpass s"] = raw[-32:]
        secrets[f"{agent.name} rosenpass g"] = raw[40:72]
    for agent in (a, b):
        (tmp_path / f"{agent.name}.status").write_text(agent.cli("status", "--json", "--socket",
                                                               agent.socket))
        (tmp_path / f"{agent.name}.table").write_text(agent.table())
        for what, content in visible_of(agent.process.pid).items():
            (tmp_path / f"{agent.name}.{what.replace('/', '_')}").write_bytes(content)
    searched = [p for p in tmp_path.rglob("*") if p.is_file() and "agents/" not in str(p)]
    searched += [agent.state / "state.json" for agent in (a, b)]
    assert len(searched) >= 4
    assert search_files(searched, secrets) == []


def test_no_core_file_is_written(two_hosts, folder):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    start_both(a, b)
    limits = open(f"/proc/{a.process.pid}/limits").read()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4] == "0" and core.split()[5] == "0"


def test_in_the_background_it_is_ready_when_the_command_returns(two_hosts, folder):
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, folder)
    b.start()
    words = ["--static", a.config.name, "--state", "state", "--socket", "trellisd.sock"]
    command = f"cd {a.config.parent} && exec {find_program('trellisd').resolve()} {' '.join(words)} 2>log"
    alice.run("sh", "-c", command, timeout=10)
    pid = int(alice.run("cat", str(a.state / "lock")).stdout)
    try:
        wait_for_pair(a, b)
        a.cli("reload", "--socket", a.socket)  # by a path that was relative
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not alice.has_interface("trellis0") and not a.socket.exists(), 5,
               "a clean stop")


def test_status_without_an_agent_says_what_to_do(folder):
    folder.mkdir(parents=True)
    from labkit.process import run
    result = run([str(find_program("trellis")), "status", "--socket", str(folder / "none.sock")],
                 check=False)
    assert result.returncode == 1
    assert "trellisd" in result.stderr


def test_a_second_agent_on_one_state_folder_is_refused(two_hosts, folder):
    alice, bob, link = two_hosts
    a, _ = make_pair(alice, bob, link, folder)
    a.start()
    with pytest.raises(CommandFailed, match="(?i)lock|running|in use"):
        bob.run(str(find_program("trellisd")), "--static", str(a.config), "--state", str(a.state),
                "--socket", str(folder / "second.sock"), "--foreground", timeout=10)
