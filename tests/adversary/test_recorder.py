"""Two real hosts, and a recorder of their link that is given every X25519 secret of both."""

import os
import sys
import time
from pathlib import Path

import dump
import pytest
import recorder
import wire_rules
from labkit import MissingProgram
from labkit.measure import parse_ping
from labkit.trellis import NETWORK_V4, NETWORK_V6, make_pair, wait_for_pair

TALK = Path(__file__).with_name("talk.py")
REPOSITORY = Path(__file__).resolve().parents[2]
MARKER = b"attack at dawn!!"  # the length of a pattern of ping
PORT = 7007
PER_SECOND = 50
SESSION_LIFE_SECONDS = 180


@pytest.fixture(scope="session")
def dumping_build():
    """The folder of programs that dump their secrets."""
    folder = Path(os.environ.get("TRELLIS_DUMP_BUILD", REPOSITORY / "build" / "adversary" / "bin"))
    for name in ("trellisd", "trellis"):
        if not os.access(folder / name, os.X_OK):
            raise MissingProgram(f"{name} that dumps its secrets is not in {folder} (build preset "
                                 "adversary, or set TRELLIS_DUMP_BUILD)")
    return folder


class Conversation:
    """Two agents of the dumping build, captured from before they start, and what they say."""

    def __init__(self, lab, folder: Path, programs: Path, family: int):
        self.hosts = lab.host("alice"), lab.host("bob")
        link = lab.link(*self.hosts)
        self.capture = lab.capture(self.hosts[0], link)
        self.agents = make_pair(*self.hosts, link, folder, family=family, programs=programs)
        self.dumps = [folder / f"{agent.name}.dump" for agent in self.agents]
        for agent, path in zip(self.agents, self.dumps):
            agent.environment = {"TRELLIS_SECRET_DUMP": str(path)}
        self.sent = 0  # user datagrams, both directions
        self.came = 0
        self.pings = 0  # echo requests that were answered

    def hold(self, seconds: float) -> None:
        """Pings from the very start; datagrams both ways once the pair is up."""
        alice, bob = self.agents
        for agent in self.agents:
            agent.start()
        started = time.monotonic()
        pinging = alice.host.spawn("ping", "-n", "-D", "-i", "0.1", "-p", MARKER.hex(), bob.v4,
                                   name="ping")
        wait_for_pair(alice, bob, timeout=20)
        listeners, senders = [], []
        for source, target, address in ((alice, bob, bob.v4), (bob, alice, alice.v6)):
            listener = target.host.spawn(sys.executable, "-B", str(TALK), "listen", address,
                                         str(PORT), MARKER.decode(), name="listen",
                                         separate_stdout=True)
            listener.wait_for("listening")
            listeners.append(listener)
            left = seconds - (time.monotonic() - started)
            senders.append(source.host.spawn(
                sys.executable, "-B", str(TALK), "send", address, str(PORT), f"{left:.1f}",
                str(PER_SECOND), MARKER.decode(), name="send", separate_stdout=True))
        for sender in senders:
            assert sender.wait(seconds + 10) == 0
            self.sent += int(sender.output())
        time.sleep(0.5)  # for what is under way
        for listener in listeners:
            listener.stop()
            self.came += int(listener.output())
        pinging.signal(2)
        pinging.wait()
        self.pings = parse_ping(pinging.text()).received
        for agent in self.agents:
            agent.stop()
        self.capture.stop()

    def record(self, *, preshared_keys: bool) -> recorder.Report:
        return recorder.record(self.capture.path, dump.read(self.dumps),
                               preshared_keys=preshared_keys, marker=MARKER).report


def judge(talk: Conversation, seconds: float) -> None:
    enough = 2 * PER_SECOND * (seconds - 8)  # the pair took a moment to come up
    assert talk.came == talk.sent >= enough
    assert talk.pings > 0

    overlay = [f"{NETWORK_V4}.0/24", f"{NETWORK_V6}/64"]
    assert wire_rules.check(talk.capture.path, overlay) == []

    without = talk.record(preshared_keys=False)
    print(recorder.text_of(without))
    assert recorder.met(without, "nothing"), recorder.text_of(without)
    assert without.user_bytes == 0 and without.frames_in_clear == 0

    given = talk.record(preshared_keys=True)
    print(recorder.text_of(given))
    assert recorder.met(given, "everything"), recorder.text_of(given)
    assert given.markers_recovered >= talk.sent + 2 * talk.pings
    # Nothing was hidden from it: what it was given fits what it saw without.
    assert given.sessions == without.sessions == without.transcripts
    assert given.sealed_bytes == without.sealed_bytes


@pytest.mark.parametrize("family", [4, 6])
def test_recovers_nothing_in_twenty_seconds(lab, tun, tmp_path, dumping_build, family):
    talk = Conversation(lab, tmp_path, dumping_build, family)
    talk.hold(20)
    judge(talk, 20)


@pytest.mark.long
def test_recovers_nothing_in_the_life_of_a_first_session(lab, tun, tmp_path, dumping_build):
    """And of the next one: a renewal is among them."""
    talk = Conversation(lab, tmp_path, dumping_build, 4)
    talk.hold(SESSION_LIFE_SECONDS)
    judge(talk, SESSION_LIFE_SECONDS)
    assert talk.record(preshared_keys=True).sessions >= 2
