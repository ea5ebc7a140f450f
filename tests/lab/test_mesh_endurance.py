"""Minutes of traffic over all pairs of a mesh: renewals that nobody notices. All of it is long."""

import itertools
import time

import pytest

from labkit import start_ping, wait_until

pytestmark = pytest.mark.long

INTERVAL = 0.006  # 100 pings a second and more: see scripts/support/demo.py
REVERSE_INTERVAL = 0.05
KEY_LIFE_SECONDS = 180
WITHOUT_SERVER_SECONDS = 270
WATCH_SECONDS = 660


class Traffic:
    """Pings over all pairs: dense in one direction over IPv4, sparse in the other over IPv6."""

    def __init__(self, agents):
        self.pairs = list(itertools.combinations(agents, 2))
        self._pings = {}
        for a, b in self.pairs:
            self._pings[f"{a.name} to {b.name}"] = start_ping(a.host, b.v4, interval=INTERVAL)
            self._pings[f"{b.name} to {a.name}"] = start_ping(b.host, a.v6,
                                                              interval=REVERSE_INTERVAL)

    def renewals(self) -> list[int]:
        """Of each pair, as its first member counts; every session is young and post-quantum."""
        counts = []
        for a, b in self.pairs:
            peer = a.peer(b)
            assert peer["post_quantum"], peer
            assert peer["session_key_age_seconds"] < KEY_LIFE_SECONDS, peer
            counts.append(peer["renewals"])
        return counts

    def watch(self, seconds: float) -> list[int]:
        """Looks at all sessions for so long; returns how often each pair was renewed."""
        before = self.renewals()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(2)
            now = self.renewals()
        return [n - b for n, b in zip(now, before)]

    def finish(self) -> dict[str, tuple[int, list[int]]]:
        """Pings sent, and those without an answer, by direction. The very last may be under way."""
        results = {name: running.finish() for name, running in self._pings.items()}
        return {name: (result.sent, [n for n in result.missing if n != result.sent])
                for name, result in results.items()}


def judge(traffic: Traffic, seconds: float) -> None:
    seen = traffic.finish()
    for name, (sent, lost) in seen.items():
        print(f"{name}: {sent} pings in {seconds:.0f} s, {len(lost)} lost")
    assert all(sent >= 100 * seconds for sent, _ in list(seen.values())[::2])
    assert all(lost == [] for _, lost in seen.values()), seen


def test_eleven_minutes_of_all_pairs_lose_no_packet(mesh):
    traffic = Traffic(mesh.joined("alice", "bob", "carol"))
    renewals = traffic.watch(WATCH_SECONDS)
    print(f"renewals of each pair: {renewals}")
    judge(traffic, WATCH_SECONDS)
    assert min(renewals) >= 4


def test_four_minutes_without_a_server_lose_no_packet(mesh):
    """Keys are renewed and sessions follow, without anybody who could be asked."""
    agents = mesh.joined("alice", "bob", "carol")
    traffic = Traffic(agents)
    mesh.server.kill()
    wait_until(lambda: all(a.network()["server"]["state"] != "connected" for a in agents), 10,
               "they see it")
    renewals = traffic.watch(WITHOUT_SERVER_SECONDS)
    print(f"renewals of each pair: {renewals}")
    assert all(a.network()["server"]["state"] != "connected" for a in agents)
    mesh.server.start()
    wait_until(lambda: all(a.network()["state"] == "up" and
                           a.network()["server"]["state"] == "connected" for a in agents), 40,
               "all at the server again")
    judge(traffic, WITHOUT_SERVER_SECONDS)
    # A key lives 180 s and is renewed at 120 to 130: twice in this time, with a new session each.
    assert min(renewals) >= 2
