"""A server that is asked by many at once, and killed while it answers."""

import itertools
import random
import threading
import time

import pytest

from labkit import wait_until
from labkit.control_probe import ControlProbe, administer

CROWD = 50
OPERATIONS = 200  # acknowledged ones, at least
LIFE_SECONDS = 0.4  # of a server, at most: dozens of operations
WORKERS = 6
WATCHERS = 8
PATIENCE_SECONDS = 60


@pytest.fixture
def probe(mesh):
    with ControlProbe(mesh.hosts["alice"], mesh.key["server"]) as running:
        yield running


def test_a_one_off_key_admits_one_of_fifty_at_once(mesh, probe):
    for attempt in range(3):
        key = mesh.server.setup_key()
        crowd = range(attempt * CROWD, (attempt + 1) * CROWD)
        started = time.monotonic()
        probe.join(*crowd, key=key["setup_key"])
        answers = [probe.wait(number, "joined", "refused", timeout=20) for number in crowd]
        print(f"{CROWD} answers within {time.monotonic() - started:.2f} s")
        joined = [a for a in answers if a["event"] == "joined"]
        refused = [a for a in answers if a["event"] == "refused"]
        assert len(joined) == 1 and len(refused) == CROWD - 1
        assert all(a["for_good"] and "setup key" in a["message"] for a in refused)
        listed = [p for p in mesh.server.peers() if p["setup_key"] == key["id"]]
        assert [p["wireguard_key"] for p in listed] == [joined[0]["key"]]
        used = {k["id"]: k["used"] for k in setup_keys(mesh)}
        assert used[key["id"]] == 1
    time.sleep(1)  # who was refused does not come back and get in
    assert len(mesh.server.peers()) == 3


def setup_keys(mesh) -> list[dict]:
    return administer(mesh.server.socket, {"command": "setup-key list"})["setup_keys"]


class Machines:
    """Machines that join, are renamed and removed by several people at once, while the server is
    killed again and again. What it said it had done, it must have done.

    `settled`: machines that nobody touches any more, by their keys: the name, None if removed.
    """

    def __init__(self, mesh, probe, seed: int):
        self._mesh = mesh
        self._probe = probe
        self._seed = seed
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(WORKERS)]
        self.settled: dict[str, str | None] = {}
        self.spent: dict[str, str] = {}  # ids of setup keys, by machines
        self.counts = {"login": 0, "rename": 0, "remove": 0, "unanswered": 0}
        self.failures: list[BaseException] = []

    def __enter__(self) -> "Machines":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_SECONDS)
        if not exception[0] and self.failures:
            raise self.failures[0]

    def acknowledged(self) -> int:
        return sum(self.counts[kind] for kind in ("login", "rename", "remove"))

    def snapshot(self) -> dict[str, str | None]:
        with self._lock:
            return dict(self.settled)

    def _work(self, worker: int) -> None:
        draw = random.Random(self._seed * 1000 + worker)
        try:
            while not self._done.is_set():
                self._live(next(self._numbers), draw)
        except BaseException as error:  # told where the test waits
            self.failures.append(error)

    def _live(self, number: int, draw: random.Random) -> None:
        """All that happens to one machine."""
        created = self._until_answered({"command": "setup-key create"})
        self._probe.join(number, key=created["setup_key"])
        machine = self._probe.wait(number, "joined", "refused", timeout=PATIENCE_SECONDS)
        assert machine["event"] == "joined", machine
        self._count("login")
        key, name = machine["key"], machine["name"]
        for turn in range(draw.randrange(4)):
            name = self._rename(key, name, f"machine-{number}-{turn}")
        if number >= WATCHERS and draw.random() < 0.6:
            self._remove(key)
            name = None
        if number >= WATCHERS:
            self._probe.leave(number)
        with self._lock:
            self.settled[key] = name
            self.spent[key] = created["id"]

    def _rename(self, key: str, old: str, new: str) -> str:
        answer = self._ask({"command": "peer rename", "peer": key, "name": new})
        if answer is None:
            found = self._name_of(key)  # nobody said what happened: either is right
            assert found in (old, new), (found, old, new)
            return found
        assert answer["ok"], answer
        self._count("rename")
        return new

    def _remove(self, key: str) -> None:
        answer = self._ask({"command": "peer remove", "peer": key})
        if answer is None:
            if self._name_of(key) is not None:
                self._remove(key)
            return
        assert answer["ok"], answer
        self._count("remove")

    def _name_of(self, key: str) -> str | None:
        peers = self._until_answered({"command": "peer list"})["peers"]
        return next((peer["name"] for peer in peers if peer["wireguard_key"] == key), None)

    def _ask(self, request: dict) -> dict | None:
        answer = administer(self._mesh.server.socket, request)
        if answer is None:
            self._count("unanswered")
            time.sleep(0.02)
        return answer

    def _until_answered(self, request: dict) -> dict:
        return wait_until(lambda: self._ask(request), PATIENCE_SECONDS, request["command"])

    def _count(self, kind: str) -> None:
        with self._lock:
            self.counts[kind] += 1


def check_settled(mesh, settled: dict[str, str | None]) -> None:
    answer = wait_until(lambda: administer(mesh.server.socket, {"command": "peer list"}), 20,
                        "the server after it was killed")
    names = {peer["wireguard_key"]: peer["name"] for peer in answer["peers"]}
    wrong = {key: (name, names.get(key)) for key, name in settled.items()
             if names.get(key) != name}
    assert wrong == {}, f"said, and found after the kill: {wrong}"


def check_serials(probe, numbers) -> int:
    """No agent was ever sent an older map; returns how many maps were looked at."""
    maps = 0
    for number in numbers:
        assert probe.events(number, "map refused") == []
        serials = [e["serial"] for e in probe.events(number, "map")]
        assert serials == sorted(serials), (number, serials)
        maps += len(serials)
    return maps


@pytest.mark.parametrize("seed, least_kills", [
    (1, 8), pytest.param(2, 50, marks=pytest.mark.long), pytest.param(3, 100, marks=pytest.mark.long)
])
def test_what_was_acknowledged_outlives_every_kill(mesh, probe, seed, least_kills):
    bob = mesh.agent("bob")  # a whole agent among those that only speak to the server
    bob.join(mesh.key)
    draw = random.Random(seed)
    serials, kills = [bob.network()["serial"]], 0
    with Machines(mesh, probe, seed=seed) as machines:
        while ((machines.acknowledged() < OPERATIONS or kills < least_kills)
               and not machines.failures):
            time.sleep(draw.uniform(0, LIFE_SECONDS))
            settled = machines.snapshot()
            mesh.server.kill()
            mesh.server.start(wait=False)
            kills += 1
            check_settled(mesh, settled)
            serials.append(bob.network()["serial"])
    print(f"{machines.counts}, {kills} kills")

    mesh.server.kill()
    mesh.server.start()
    settled = machines.snapshot()
    check_settled(mesh, settled)
    living = {key: name for key, name in settled.items() if name is not None}
    listed = {peer["wireguard_key"]: peer["name"] for peer in mesh.server.peers()}
    assert {key: name for key, name in listed.items() if name != "bob"} == living
    used = {key["id"]: key["used"] for key in setup_keys(mesh)}
    assert all(used[key_id] == 1 for key_id in machines.spent.values())

    assert serials == sorted(serials)
    expected = {name for key, name in living.items()}
    wait_until(lambda: {p["name"] for p in bob.status()["peers"]} == expected, 40,
               "the last map at bob's")
    print(f"{check_serials(probe, range(WATCHERS))} maps at {WATCHERS} agents, none older than the "
          "one before")
    assert machines.counts["unanswered"] > 0
