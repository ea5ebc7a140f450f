"""Our gRPC with grpc++ and grpc-go: each as the client of the other. grpc/README.md tells what the
scenarios do; a client checks all that it can see, these tests check what the server saw."""

import re
import signal

import pytest

import grpc_peers
import peers
from labkit import TimedOut

FOREIGN = ["cpp", "go"]
PAIRS = [("ours", name) for name in FOREIGN] + [(name, "ours") for name in FOREIGN]
PAIR_NAMES = [f"{client} to {server}" for client, server in PAIRS]
MEBIBYTE = 1 << 20
FLOOD_BYTES = 256 * MEBIBYTE  # what a Flood sends to a reader who takes it all


@pytest.fixture(scope="session")
def peer():
    """Gives a program by name; skips, with the reason, where it cannot be had."""
    made = {}

    def get(name: str) -> grpc_peers.Peer:
        if name not in made:
            try:
                made[name] = grpc_peers.PEERS[name]()
            except peers.Unavailable as reason:
                made[name] = reason
        if isinstance(made[name], peers.Unavailable):
            pytest.skip(f"{name}: {made[name]}")
        return made[name]

    return get


@pytest.fixture(scope="session")
def shared_server(peer, tmp_path_factory):
    """One server of each peer, for calls that leave nothing behind."""
    running = {}

    def get(name: str) -> grpc_peers.Server:
        if name not in running:
            running[name] = peer(name).serve(tmp_path_factory.mktemp(name))
        return running[name]

    yield get
    for server in running.values():
        server.stop()


@pytest.fixture
def serve(peer, tmp_path):
    """Starts a server of this test alone."""
    running = []

    def start(name: str, **options) -> grpc_peers.Server:
        running.append(peer(name).serve(tmp_path / f"server{len(running)}", **options))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def expect_ok(said: str) -> None:
    assert said.startswith("ok"), said


def flood_sent(server: grpc_peers.Server) -> int:
    return int(server.wait_for(r"ended /echo.Echo/Flood status=\d+ sent=(\d+)")[1])


@pytest.mark.parametrize("scenario", [
    ("unary", 0), ("unary", 100), ("unary", MEBIBYTE), ("unary", 5 * MEBIBYTE), ("refused",),
    ("unknown",), ("count", 0, 0), ("count", 300, 10_000), ("count", 10, MEBIBYTE),
    ("sum", 300, 10_000), ("sum", 10, MEBIBYTE), ("chat", 100, 3_000), ("chat", 3, MEBIBYTE),
    ("cancel",), ("deadline", 300), ("parallel", 60)], ids=str)
@pytest.mark.parametrize("client, server", PAIRS, ids=PAIR_NAMES)
def test_calls_go_as_they_should(peer, shared_server, client, server, scenario):
    expect_ok(peer(client).call(shared_server(server), *scenario))


@pytest.mark.parametrize("scenario", [("unary", 5_000), ("chat", 5, 1_000), ("refused",)], ids=str)
@pytest.mark.parametrize("client, server", PAIRS, ids=PAIR_NAMES)
def test_our_side_reads_and_writes_single_bytes(peer, serve, client, server, scenario):
    piece = {"piece": 1}
    running = serve(server, **(piece if server == "ours" else {}))
    expect_ok(peer(client).call(running, *scenario, **(piece if client == "ours" else {})))


@pytest.mark.parametrize("client, server", PAIRS, ids=PAIR_NAMES)
def test_the_server_hears_of_a_cancelled_call(peer, serve, client, server):
    running = serve(server)
    expect_ok(peer(client).call(running, "cancel"))
    running.wait_for(r"ended /echo.Echo/Hang status=1")


@pytest.mark.parametrize("client, server", PAIRS, ids=PAIR_NAMES)
def test_a_server_that_goes_away_ends_what_runs(peer, serve, client, server):
    """A call that runs goes on; a new one fails at once, or goes over a new connection."""
    running = serve(server)
    expect_ok(peer(client).call(running, "go-away"))
    if server != "ours":
        running.wait_for("stopped")


@pytest.mark.parametrize("client, server", PAIRS, ids=PAIR_NAMES)
def test_a_slow_reader_stops_the_sender(peer, serve, client, server):
    running = serve(server)
    expect_ok(peer(client).call(running, "slow", 3))
    assert flood_sent(running) < FLOOD_BYTES / 4


@pytest.mark.parametrize("name", FOREIGN)
def test_pings_that_measure_our_data_are_welcome(peer, serve, name):
    """Both clients send them while data comes, grpc-go as fast as they are answered."""
    running = serve("ours")
    for _ in range(3):
        expect_ok(peer(name).call(running, "count", 700, 16_000))
    closed = running.lines("closed")
    assert len(closed) >= 2 and not any("too_many_pings" in line for line in closed)
    pings = [int(re.search(r"pings=(\d+)", line)[1]) for line in closed]
    assert max(pings) >= (10 if name == "go" else 1), closed


@pytest.mark.parametrize("name, keepalive_ms, seconds", [("cpp", 5_500, 24), ("go", 10_000, 24)])
def test_pings_at_a_decent_distance_are_welcome(peer, serve, name, keepalive_ms, seconds):
    running = serve("ours")
    expect_ok(peer(name).call(running, "idle", seconds, keepalive_ms=keepalive_ms))
    closed = running.wait_for(r"closed .* pings=(\d+)")
    assert int(closed[1]) >= 2


def test_a_client_that_pings_too_often_is_sent_away(peer, serve):
    running = serve("ours")
    said = peer("cpp").call(running, "idle", 8, keepalive_ms=1_000)
    assert said.startswith("wrong") and 'debug data equal to "too_many_pings"' in said, said
    running.wait_for("closed too_many_pings")


@pytest.mark.parametrize("name", FOREIGN)
def test_our_pings_suit_a_server_that_allows_one_every_five_seconds(peer, serve, name):
    running = serve(name, min_ping_ms=5_000)
    expect_ok(peer("ours").call(running, "idle", 20, keepalive_ms=5_500))


@pytest.mark.parametrize("name", FOREIGN)
def test_we_are_told_when_we_ping_too_often(peer, serve, name):
    running = serve(name, min_ping_ms=60_000)
    said = peer("ours").call(running, "idle", 10, keepalive_ms=500)
    assert "closed too_many_pings" in said


@pytest.mark.parametrize("name", FOREIGN)
def test_our_server_pings_and_gives_up_a_client_that_stands_still(peer, serve, tmp_path, name):
    running = serve("ours", keepalive_ms=500)
    client = peer(name).start(tmp_path / "client", running, "idle", 60)
    try:
        with pytest.raises(TimedOut):
            running.wait_for("closed", 4)  # its pings are answered
        client.popen.send_signal(signal.SIGSTOP)
        running.wait_for("closed keepalive_timeout")
    finally:
        client.popen.send_signal(signal.SIGCONT)
        client.stop()


@pytest.mark.parametrize("name", FOREIGN)
def test_our_client_gives_up_a_server_that_stands_still(peer, serve, tmp_path, name):
    running = serve(name, min_ping_ms=100)
    client = peer("ours").start(tmp_path / "client", running, "idle", 60, keepalive_ms=1_000)
    try:
        with pytest.raises(TimedOut):
            client.wait_for("closed", 4)
        running.process.popen.send_signal(signal.SIGSTOP)
        client.wait_for("closed keepalive_timeout")
    finally:
        running.process.popen.send_signal(signal.SIGCONT)
        client.stop()
