"""The recorder tests itself: one that could not read anything would prove nothing."""

import base64
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import candidates
import dump
import noise
import pytest
import recorder
import scripted
import wire_rules
from labkit import Datagram, wireguard

ALICE, BOB = ("192.0.2.1", 51820), ("192.0.2.2", 51821)
INNER_ALICE, INNER_BOB = "100.64.7.1", "100.64.7.2"
MARKER = b"attack at dawn"


class Scene:
    """Alice and Bob talk over a link that is captured."""

    def __init__(self, folder: Path, preshared_key: bytes = bytes(32)):
        self.alice = scripted.End(preshared_key=preshared_key)
        self.bob = scripted.End(preshared_key=preshared_key)
        self.path = folder / "link.pcap"
        self.sent: list[bytes] = []  # inner packets

    def use_key(self, preshared_key: bytes) -> None:
        self.alice.preshared_key = self.bob.preshared_key = preshared_key

    def play(self, *, sessions: int = 2, packets: int = 20, keys: list[bytes] | None = None
             ) -> None:
        with scripted.CaptureFile(self.path) as capture:
            for number in range(sessions):
                if keys:
                    self.use_key(keys[number])
                self._session(capture, packets, swapped=number % 2 == 1)

    def _session(self, capture: scripted.CaptureFile, packets: int, *, swapped: bool) -> None:
        first, second = (self.bob, self.alice) if swapped else (self.alice, self.bob)
        out, back = (BOB, ALICE) if swapped else (ALICE, BOB)
        # An unanswered attempt comes first.
        capture.add(scripted.udp(*out, *back, first.initiate(second.static.public)[1]))
        initiated, initiation = first.initiate(second.static.public)
        capture.add(scripted.udp(*out, *back, initiation))
        answering, response = second.respond(initiation)
        capture.add(scripted.udp(*back, *out, response))
        asking = initiated.finish(response)
        capture.add(scripted.udp(*out, *back, asking.seal(b"")))
        for number in range(packets):
            packet = scripted.udp(INNER_ALICE, 7, INNER_BOB, 7, MARKER + bytes(number % 37))
            session, ends = ((asking, (*out, *back)), (answering, (*back, *out)))[number % 2]
            self.sent.append(packet)
            capture.add(scripted.udp(*ends, session.seal(packet)))

    def secrets(self, *preshared_keys: bytes) -> dump.Secrets:
        return dump.Secrets(dict.fromkeys(self.alice.private_keys + self.bob.private_keys),
                            dict.fromkeys(preshared_keys))


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def record(scene, *preshared_keys):
    return recorder.record(scene.path, scene.secrets(*preshared_keys),
                           preshared_keys=bool(preshared_keys), marker=MARKER)


def assert_all_recovered(scene, seen):
    report = seen.report
    assert seen.user_packets == scene.sent
    assert (report.sessions, report.sessions_opened) == (2, 2)
    assert report.data_opened == report.data_messages == len(scene.sent) + 2  # two keepalives
    assert report.user_bytes == sum(map(len, scene.sent))
    assert report.markers_recovered == len(scene.sent)
    assert recorder.met(report, "everything") and not recorder.met(report, "nothing")


def assert_nothing_recovered(seen):
    report = seen.report
    assert (report.transcripts, report.sessions) == (2, 2)
    assert (report.user_bytes, report.data_opened, report.sessions_opened) == (0, 0, 0)
    assert report.frames_in_clear == 0
    assert recorder.met(report, "nothing") and not recorder.met(report, "everything")


def test_reads_all_where_there_is_no_preshared_key(scene):
    scene.play()
    seen = record(scene)
    assert_all_recovered(scene, seen)
    assert seen.report.opened_by == {"zero": 2}


def test_reads_nothing_without_the_preshared_key_and_all_with_it(scene):
    key = bytes(range(32))
    scene.use_key(key)
    scene.play()
    assert_nothing_recovered(record(scene))
    assert_all_recovered(scene, record(scene, key))


def test_needs_each_preshared_key_for_its_own_session(scene):
    keys = [bytes([1]) * 32, bytes([2]) * 32]
    scene.play(keys=keys)
    assert_all_recovered(scene, record(scene, *keys))
    one = record(scene, keys[1])
    assert one.user_packets == scene.sent[20:]
    assert not recorder.met(one.report, "nothing") and not recorder.met(one.report, "everything")


def test_guesses_the_seed_of_netbird_and_what_it_becomes(scene):
    seed = candidates.netbird_seed(scene.alice.static.public, scene.bob.static.public)
    once = candidates.ratcheted(seed)
    scene.play(keys=[seed, once])
    seen = record(scene)
    assert_all_recovered(scene, seen)
    assert seen.report.opened_by == {"netbird-seed": 1, "netbird-seed after 1 expiries": 1}


def test_guesses_an_output_key_of_zeros_bound_as_ours_are(scene):
    zero = candidates.bound(bytes(32), scene.alice.static.public, scene.bob.static.public)
    scene.play(keys=[zero, zero])
    assert_all_recovered(scene, record(scene))


def test_agrees_with_known_answers_on_the_guesses():
    """A pair of keys whose seed a stock NetBird 0.77.1 accepted, and the one of its issue 2973."""
    for one, other, seed in (
            ("z718qKenPt0DTz9PGj16HPqeGw/yCzRJQmLlMg2hfzM=",
             "+WXJBWk6OLQs9Q7jVNWHsS+WCo6mbp10pD09PswNQG4=", b"z718qKenPt0DTz9P+WXJBWk6OLQs9Q7j"),
            ("qrU64BbwDjOtz7UM" + "A" * 27 + "=", "heCBbl1wruOxGnun" + "A" * 27 + "=",
             b"qrU64BbwDjOtz7UMheCBbl1wruOxGnun")):
        keys = base64.b64decode(one), base64.b64decode(other)
        assert candidates.netbird_seed(*keys) == candidates.netbird_seed(*reversed(keys)) == seed
    assert candidates.ratcheted(bytes(range(32))).hex() == (  # netbird's seed.go at ee253fedd
        "49f113418217b92e9417ce4ef00065cc49388358dbe05158bd7afd5c2f606564")


@pytest.mark.parametrize("of", ["alice", "bob"])
def test_is_as_strong_with_the_secrets_of_one_party(scene, of):
    """A public key of the other one is enough: a quantum computer has what this party computed."""
    scene.play()
    secrets = dump.Secrets(dict.fromkeys(getattr(scene, of).private_keys))
    seen = recorder.record(scene.path, secrets, marker=MARKER)
    # The responder of a session is found by its public key, which this party's dump lacks.
    assert seen.report.transcripts == 1


def test_says_when_it_was_not_given_all_keys(scene):
    scene.play()
    secrets = scene.secrets()
    for end in (scene.alice, scene.bob):
        for key in end.ephemerals:
            del secrets.x25519_private[key.private]
    seen = recorder.record(scene.path, secrets, marker=MARKER)
    assert seen.report.transcripts == 0 and seen.report.unknown_public
    assert not recorder.met(seen.report, "nothing")


def test_finds_the_marker_in_clear(scene):
    scene.use_key(bytes([5]) * 32)
    scene.play()
    leak = scripted.udp(INNER_ALICE, 7, INNER_BOB, 7, MARKER)
    with scene.path.open("ab") as file:
        file.write(b"\1\0\0\0" + bytes(4) + 2 * len(leak).to_bytes(4, "little") + leak)
    seen = record(scene)
    assert seen.report.frames_in_clear == 1 and not recorder.met(seen.report, "nothing")
    faults = wire_rules.check(scene.path, overlay=["100.64.0.0/10"])
    assert any("in clear on the link" in fault for fault in faults)


def test_works_from_the_command_line(scene, tmp_path):
    key = bytes([9]) * 32
    scene.use_key(key)
    scene.play()
    dump.write(tmp_path / "alice.dump", scene.secrets(key))
    command = [sys.executable, "-B", Path(recorder.__file__), scene.path, "--marker",
               MARKER.decode(), "--secrets", tmp_path / "alice.dump"]
    assert subprocess.run([*command, "--expect", "nothing"]).returncode == 0
    assert subprocess.run([*command, "--expect", "everything"]).returncode == 1
    done = subprocess.run([*command, "--preshared-keys", "--expect", "everything", "--json"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["markers_recovered"] == len(scene.sent)


def test_refuses_a_dump_that_is_none(tmp_path):
    bad = tmp_path / "bad.dump"
    bad.write_text("x25519-private 00ff\n")
    with pytest.raises(ValueError, match="bad.dump:1"):
        dump.read([bad])
    bad.write_text(f"preshared-key {'00' * 32}\nx25519-private 00")  # cut off: not an error
    assert len(dump.read([bad]).preshared_keys) == 1


def test_reads_what_wireguard_go_says(lab, tun):
    """Against a peer of somebody else: its answers are read with the keys of one end."""
    alice, bob = lab.host("alice"), lab.host("bob")
    link = lab.link(alice, bob)
    capture = lab.capture(alice, link)
    end, bobs = scripted.End(preshared_key=bytes(range(32))), wireguard.key_pair()
    device = wireguard.wireguard_go(bob)
    device.identify(bobs, BOB[1])
    device.add_peer(base64.b64encode(end.static.public).decode(), allowed=(f"{INNER_ALICE}/32",),
                    psk=base64.b64encode(end.preshared_key).decode())
    device.bring_up(f"{INNER_BOB}/24")

    known = end.static.private, base64.b64decode(bobs.public)
    (lab.directory / "secrets").write_text(" ".join(key.hex() for key in known))
    alice.run(sys.executable, "-B", "-c", textwrap.dedent("""
        import socket, sys
        from pathlib import Path
        sys.path[:0] = [sys.argv[1], sys.argv[2]]
        import scripted
        from noise import KeyPair
        folder, address, port = Path(sys.argv[3]), sys.argv[4], int(sys.argv[5])
        private, bob = map(bytes.fromhex, (folder / "secrets").read_text().split())
        end = scripted.End(KeyPair(private), bytes(range(32)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(5)
            link.connect((address, port))
            initiated, message = end.initiate(bob)
            link.send(message)
            session = initiated.finish(link.recv(2048))
            answered = 0
            for number in range(5):
                link.send(session.seal(scripted.echo_request(
                    "100.64.7.1", "100.64.7.2", number, b"attack at dawn")))
            while answered < 5:
                answered += b"attack at dawn" in (session.open(link.recv(2048)) or b"")
        (folder / "ephemerals").write_text("".join(k.private.hex() + "\\n" for k in end.ephemerals))
        """), str(Path(__file__).parent), str(Path(__file__).parents[1] / "lab"),
        str(lab.directory), link.end(bob).v4, str(BOB[1]))
    capture.stop()

    ephemerals = map(bytes.fromhex, (lab.directory / "ephemerals").read_text().split())
    known = [end.static.private, base64.b64decode(bobs.private), *ephemerals]
    secrets = dump.Secrets(dict.fromkeys(known), {end.preshared_key: None})
    without = recorder.record(capture.path, secrets, marker=MARKER).report
    assert recorder.met(without, "nothing"), recorder.text_of(without)
    given = recorder.record(capture.path, secrets, preshared_keys=True, marker=MARKER)
    assert recorder.met(given.report, "everything"), recorder.text_of(given.report)
    assert given.report.markers_recovered == 10


# ---- the rules of the wire -----------------------------------------------------------------------

SIZES = {"InitHello": (0x81, 1092), "RespHello": (0x82, 1132), "InitConf": (0x83, 176),
         "EmptyData": (0x84, 64)}


def rosenpass(message, source=ALICE, target=BOB):
    first, size = SIZES[message]
    return Datagram(0, source[0], target[0], source[1], target[1],
                    bytes([first]) + bytes(size - 1))


EXCHANGE = [rosenpass("InitHello"), rosenpass("RespHello", BOB, ALICE), rosenpass("InitConf"),
            rosenpass("EmptyData", BOB, ALICE)]
WIREGUARD = Datagram(0, ALICE[0], BOB[0], ALICE[1], BOB[1], b"\1\0\0\0" + bytes(144))


def test_accepts_wireguard_after_an_exchange():
    assert wire_rules.check_datagrams([*EXCHANGE, WIREGUARD]) == []
    doubled = [datagram for datagram in EXCHANGE for _ in range(2)]
    assert wire_rules.check_datagrams([*doubled, WIREGUARD]) == []


def test_finds_wireguard_before_a_complete_exchange():
    faults = wire_rules.check_datagrams([*EXCHANGE[:3], WIREGUARD, EXCHANGE[3]])
    assert faults == ["wireguard-initiation from 192.0.2.1 to 192.0.2.2 before a completed "
                      "exchange"]


def test_finds_a_second_port():
    other = Datagram(0, ALICE[0], BOB[0], 4000, BOB[1], WIREGUARD.payload)
    assert wire_rules.check_datagrams([*EXCHANGE, other]) == ["192.0.2.1: UDP ports [4000, 51820]"]


def test_finds_what_is_of_no_protocol_and_fragments():
    stray = Datagram(0, ALICE[0], BOB[0], ALICE[1], BOB[1], b"hello")
    assert len(wire_rules.check_datagrams([*EXCHANGE, stray])) == 1
    cut = Datagram(0, ALICE[0], BOB[0], ALICE[1], BOB[1], EXCHANGE[0].payload, fragment=True)
    assert wire_rules.check_datagrams([cut, *EXCHANGE[1:]]) == [
        "a fragment from 192.0.2.1 outside WireGuard"]


def test_finds_an_exchange_that_would_not_fit_a_packet_of_1280_bytes():
    large = Datagram(0, ALICE[0], BOB[0], ALICE[1], BOB[1], b"\x81" + bytes(1232))
    faults = wire_rules.check_datagrams([*EXCHANGE, large])
    assert "1233 bytes from 192.0.2.1 outside WireGuard" in faults
