"""Three real hosts of a mesh, and a recorder of all their cables that is given every X25519 secret.

What test_recorder.py shows of two hosts that know each other from a file, here for each pair of
hosts that found each other through a server.
"""

import itertools
import sys
import time
from pathlib import Path

import dump
import pytest
import recorder
import wire_rules
from labkit import verdict
from labkit.classify import classify
from labkit.mesh import wait_for_mesh
from labkit.mesh_fixtures import Mesh
from test_recorder import MARKER, PER_SECOND, PORT, SESSION_LIFE_SECONDS, TALK, dumping_build  # noqa: F401

NAMES = ("alice", "bob", "carol")
# Both ends of each pair have a cable of their own; one of them shows all that passes.
SEEN_AT = {("alice", "bob"): "alice", ("alice", "carol"): "carol", ("bob", "carol"): "bob"}


class Conversation:
    """Agents of the dumping build that join a server's network, captured from before they start."""

    def __init__(self, lab, folder: Path, programs: Path):
        self.mesh = Mesh(lab, folder / "mesh", NAMES, programs=programs)
        self.captures = {name: self.mesh.capture(name) for name in NAMES}
        self.agents = {name: self.mesh.agent(name, start=False) for name in NAMES}
        self.dumps = {name: folder / f"{name}.dump" for name in NAMES}
        self.sent: dict[tuple[str, str], int] = {pair: 0 for pair in SEEN_AT}  # both directions
        self.came: dict[tuple[str, str], int] = {pair: 0 for pair in SEEN_AT}
        self.addresses: list[str] = []  # in the tunnels

    def hold(self, seconds: float) -> None:
        """All pairs talk, both ways, over both families."""
        for name, agent in self.agents.items():
            agent.environment = {"TRELLIS_SECRET_DUMP": str(self.dumps[name])}
            agent.start()
            agent.join(self.mesh.key)
        wait_for_mesh(list(self.agents.values()))
        self.addresses = [a for agent in self.agents.values() for a in agent.addresses()]
        talks = [self._talk(pair, number, way, seconds)
                 for number, pair in enumerate(SEEN_AT) for way in (0, 1)]
        for pair, _, sender in talks:
            assert sender.wait(seconds + 10) == 0
            self.sent[pair] += int(sender.output())
        time.sleep(0.5)  # for what is under way
        for pair, listener, _ in talks:
            listener.stop()
            self.came[pair] += int(listener.output())
        for agent in self.agents.values():
            agent.stop()
        for capture in self.captures.values():
            capture.stop()

    def _talk(self, pair, number, way, seconds):
        source, target = (self.agents[name] for name in (pair if way == 0 else pair[::-1]))
        address = target.v4 if way == 0 else target.v6
        port = PORT + 2 * number + way
        listener = target.host.spawn(sys.executable, "-B", str(TALK), "listen", address, str(port),
                                     MARKER.decode(), name="listen", separate_stdout=True)
        listener.wait_for("listening")
        sender = source.host.spawn(sys.executable, "-B", str(TALK), "send", address, str(port),
                                   f"{seconds:.1f}", str(PER_SECOND), MARKER.decode(), name="send",
                                   separate_stdout=True)
        return pair, listener, sender

    def addresses_of(self, name: str) -> set[str]:
        """On the network outside the tunnel."""
        return {address for address, owner in self.mesh.owners().items() if owner == name}

    def capture_of(self, pair: tuple[str, str]):
        return self.captures[SEEN_AT[pair]]

    def record(self, pair: tuple[str, str], *, preshared_keys: bool) -> recorder.Report:
        """What the recorder makes of one pair. It is given the secrets of all hosts."""
        return recorder.record(self.capture_of(pair).path, dump.read(self.dumps.values()),
                               preshared_keys=preshared_keys, marker=MARKER,
                               between=tuple(self.addresses_of(name) for name in pair)).report


def judge_wire(talk: Conversation, name: str) -> None:
    """A host's cable: post-quantum from the first packet, one port, nothing that is unknown."""
    capture, server = talk.captures[name], talk.addresses_of("server")
    datagrams = talk.mesh.by_host(capture.datagrams())
    assert wire_rules.check_datagrams(datagrams) == []
    assert wire_rules.check_packets(capture.packets(), talk.addresses, server) == []
    kinds = {classify(d.payload) for d in datagrams if name in (d.src, d.dst)}
    assert {"stun", "rosenpass-EmptyData", "wireguard-data"} <= kinds
    assert len(verdict.completions(datagrams)) >= 2  # with each of the others


def judge_pair(talk: Conversation, pair: tuple[str, str], seconds: float) -> recorder.Report:
    assert talk.came[pair] == talk.sent[pair] >= 2 * PER_SECOND * (seconds - 2)
    without = talk.record(pair, preshared_keys=False)
    print(f"{' and '.join(pair)}, without preshared keys:\n{recorder.text_of(without)}")
    assert recorder.met(without, "nothing"), recorder.text_of(without)
    assert without.user_bytes == 0 and without.frames_in_clear == 0 and not without.unknown_public

    given = talk.record(pair, preshared_keys=True)
    print(f"{' and '.join(pair)}, with preshared keys:\n{recorder.text_of(given)}")
    assert recorder.met(given, "everything"), recorder.text_of(given)
    assert given.markers_recovered >= talk.sent[pair]
    # Each session needed a key of the exchange: none opened by what public keys betray.
    assert given.opened_by == {"given": given.sessions}
    assert given.sessions == without.sessions == without.transcripts
    return given


def judge(talk: Conversation, seconds: float) -> list[recorder.Report]:
    for name in NAMES:
        judge_wire(talk, name)
    return [judge_pair(talk, pair, seconds) for pair in SEEN_AT]


def test_recovers_nothing_of_any_pair(lab, tun, tmp_path, dumping_build):  # noqa: F811
    assert set(SEEN_AT) == set(itertools.combinations(NAMES, 2))
    talk = Conversation(lab, tmp_path, dumping_build)
    talk.hold(8)
    judge(talk, 8)


@pytest.mark.long
def test_recovers_nothing_of_any_pair_across_a_renewal(lab, tun, tmp_path,
                                                       dumping_build):  # noqa: F811
    talk = Conversation(lab, tmp_path, dumping_build)
    talk.hold(SESSION_LIFE_SECONDS)
    assert all(report.sessions >= 2 for report in judge(talk, SESSION_LIFE_SECONDS))
