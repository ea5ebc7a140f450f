#!/usr/bin/env python3
"""A recorder with a quantum computer: reads a capture, knows every X25519 private key of both
parties, and recovers what user traffic it can.

It recomputes each WireGuard handshake and tries the preshared keys that can be guessed from what
is public: none, NetBird's seed, and the keys that NetBird makes of those when they expire. With
--preshared-keys it also tries those of the dumps; then it must recover everything, or the tool
proves nothing. How strong the attacker is, is shown by `transcripts`: the handshakes of which it
knows all but the preshared key.

    tests/adversary/recorder.py link.pcap --secrets alice.dump --secrets bob.dump
    tests/adversary/recorder.py link.pcap --secrets ... --preshared-keys --expect everything
"""

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "lab")]
import candidates  # noqa: E402
import dump  # noqa: E402
import noise  # noqa: E402
from labkit import Datagram, pcap  # noqa: E402


@dataclass
class Handshake:
    """An initiation and its response, as far as the recorder understands them."""

    initiation: noise.Initiation
    response: noise.Response
    transcript: noise.Transcript | None = None  # all mixed but the preshared key
    statics: tuple[bytes, bytes] | None = None  # initiator's, responder's public key
    guess: str | None = None  # the name of the preshared key that opened it
    keys: dict[int, bytes] = field(default_factory=dict)  # by the index of who receives


@dataclass
class Report:
    """What was seen, and what of it could be read."""

    datagrams: int = 0
    initiations: int = 0
    sessions: int = 0  # initiations with their responses
    transcripts: int = 0  # of these, recomputed up to the preshared key
    sessions_opened: int = 0
    opened_by: dict[str, int] = field(default_factory=dict)
    data_messages: int = 0
    data_opened: int = 0
    sealed_bytes: int = 0  # payload of all data messages, with padding
    user_packets: int = 0
    user_bytes: int = 0  # inner packets recovered
    markers_recovered: int = 0  # inner packets recovered that hold the marker
    frames_in_clear: int = 0  # frames of the capture that hold the marker
    x25519_keys: int = 0
    guessed_keys: int = 0  # preshared keys tried, given ones too
    unknown_public: list[str] = field(default_factory=list)  # of which no private key was given


class Recorder:
    """Feed it datagrams in the order in which they were seen; then ask for the report."""

    def __init__(self, private_keys: Iterable[bytes], preshared_keys: Iterable[bytes] = (),
                 marker: bytes = b""):
        self._pairs = {pair.public: pair for pair in map(noise.KeyPair, private_keys)}
        self._mac1_keys = {public: noise.mac1_key(public) for public in self._pairs}
        self._preshared_keys = list(preshared_keys)
        self._marker = marker
        self._initiations: dict[int, list[noise.Initiation]] = {}
        self._by_receiver: dict[int, list[Handshake]] = {}
        self._opened: list[bytes] = []
        self._opened_by: Counter[str] = Counter()
        self._tried: set[bytes] = set()
        self._unknown: set[bytes] = set()
        self.handshakes: list[Handshake] = []
        self.report = Report(x25519_keys=len(self._pairs))

    @property
    def user_packets(self) -> list[bytes]:
        """The inner IP packets recovered so far, without padding, in the order of the capture."""
        return self._opened

    def handle(self, datagram: Datagram) -> None:
        self.report.datagrams += 1
        message = noise.parse(datagram.payload)
        if isinstance(message, noise.Initiation):
            self.report.initiations += 1
            self._initiations.setdefault(message.sender, []).append(message)
        elif isinstance(message, noise.Response):
            self._handle_response(message)
        elif isinstance(message, noise.Data):
            self._handle_data(message)

    def finish(self) -> Report:
        """The report on all that was handled."""
        self.report.opened_by = dict(self._opened_by)
        self.report.guessed_keys = len(self._tried)
        self.report.unknown_public = sorted(key.hex() for key in self._unknown)
        return dataclasses.replace(self.report)

    # ---- handshakes ------------------------------------------------------------------------------

    def _handle_response(self, response: noise.Response) -> None:
        sent = self._initiations.get(response.receiver)
        if not sent or any(h.response == response for h in self.handshakes):
            return  # answers nothing that was seen, or was doubled on the way
        self.report.sessions += 1
        handshake = Handshake(sent[-1], response)
        for initiation in reversed(sent):  # an index may be used again
            handshake = Handshake(initiation, response)
            self._recompute(handshake)
            if handshake.transcript and self._open_session(handshake):
                break
        self.handshakes.append(handshake)
        self.report.transcripts += handshake.transcript is not None
        self.report.sessions_opened += handshake.guess is not None
        for index in (response.sender, response.receiver):
            self._by_receiver.setdefault(index, []).append(handshake)

    def _exchange(self, one: bytes, other: bytes) -> bytes | None:
        """The shared secret of two public keys; a quantum computer needs the private key of
        either."""
        for own, peer in ((one, other), (other, one)):
            if own in self._pairs:
                return self._pairs[own].exchange(peer)
        self._unknown |= {one, other}
        return None

    def _recompute(self, handshake: Handshake) -> None:
        """Follows the handshake to where the preshared key is mixed."""
        initiation, response = handshake.initiation, handshake.response
        responder = next((public for public, key in self._mac1_keys.items()
                          if noise.mac(key, initiation.raw[:116]) == initiation.mac1), None)
        if responder is None:
            return
        transcript = noise.Transcript(responder)
        transcript.mix_ephemeral(initiation.ephemeral)
        shared = self._exchange(initiation.ephemeral, responder)
        if shared is None:
            return
        initiator = noise.unseal(transcript.mix_key(shared), 0, initiation.sealed_static,
                                 transcript.hash)
        if initiator is None:
            return
        transcript.mix_hash(initiation.sealed_static)
        shared = self._exchange(initiator, responder)
        if shared is None or noise.unseal(transcript.mix_key(shared), 0,
                                          initiation.sealed_timestamp, transcript.hash) is None:
            return
        transcript.mix_hash(initiation.sealed_timestamp)

        transcript.mix_ephemeral(response.ephemeral)
        for public in (initiation.ephemeral, initiator):
            shared = self._exchange(response.ephemeral, public)
            if shared is None:
                return
            transcript.mix_secret(shared)
        handshake.transcript, handshake.statics = transcript, (initiator, responder)

    def _open_session(self, handshake: Handshake) -> bool:
        """Tries preshared keys until one opens the response."""
        response = handshake.response
        given = (("given", key) for key in self._preshared_keys)
        for name, key in (*candidates.guesses(*handshake.statics), *given):
            self._tried.add(key)
            transcript = handshake.transcript.copy()
            opening = transcript.mix_preshared_key(key)
            if noise.unseal(opening, 0, response.sealed_nothing, transcript.hash) is None:
                continue
            to_responder, to_initiator = transcript.session_keys()
            handshake.guess = name
            handshake.keys = {response.sender: to_responder, response.receiver: to_initiator}
            self._opened_by[name] += 1
            return True
        return False

    # ---- data ------------------------------------------------------------------------------------

    def _handle_data(self, data: noise.Data) -> None:
        self.report.data_messages += 1
        self.report.sealed_bytes += len(data.sealed) - noise.TAG_SIZE
        for handshake in reversed(self._by_receiver.get(data.receiver, [])):
            key = handshake.keys.get(data.receiver)
            plaintext = noise.unseal(key, data.counter, data.sealed, b"") if key else None
            if plaintext is not None:
                self.report.data_opened += 1
                self._handle_plaintext(plaintext)
                return

    def _handle_plaintext(self, plaintext: bytes) -> None:
        packet = without_padding(plaintext)
        if not packet:
            return  # a keepalive
        self._opened.append(packet)
        self.report.user_packets += 1
        self.report.user_bytes += len(packet)
        self.report.markers_recovered += bool(self._marker) and self._marker in packet


def without_padding(plaintext: bytes) -> bytes:
    """The inner packet, cut to the length that its header tells."""
    version = plaintext[0] >> 4 if plaintext else 0
    if version == 4 and len(plaintext) >= 20:
        return plaintext[:int.from_bytes(plaintext[2:4], "big")]
    if version == 6 and len(plaintext) >= 40:
        return plaintext[:40 + int.from_bytes(plaintext[4:6], "big")]
    return plaintext


def record(capture: Path, secrets: dump.Secrets, *, preshared_keys: bool = False,
           marker: bytes = b"", between: tuple[set[str], set[str]] | None = None) -> Recorder:
    """Lets a recorder read a whole capture. Its `report` is complete.

    `between`: only what passes between these two hosts, each by all its addresses.
    """
    recorder = Recorder(secrets.x25519_private,
                        secrets.preshared_keys if preshared_keys else (), marker)
    for datagram in pcap.datagrams(capture):
        if not between or _is_between(datagram, *between):
            recorder.handle(datagram)
    recorder.report = recorder.finish()
    if marker:
        frames = pcap.frames(Path(capture).read_bytes())
        recorder.report.frames_in_clear = sum(marker in frame for _, _, frame in frames)
    return recorder


def _is_between(datagram: Datagram, one: set[str], other: set[str]) -> bool:
    return (datagram.src in one and datagram.dst in other) or (datagram.src in other
                                                               and datagram.dst in one)


def text_of(report: Report) -> str:
    opened = ", ".join(f"{count} by {name}" for name, count in report.opened_by.items())
    lines = [
        ("X25519 private keys known", report.x25519_keys),
        ("WireGuard sessions seen", report.sessions),
        ("  transcripts recomputed up to the preshared key", report.transcripts),
        ("  opened", f"{report.sessions_opened}{f' ({opened})' if opened else ''}"),
        ("preshared keys tried", report.guessed_keys),
        ("data messages seen", f"{report.data_messages} ({report.sealed_bytes} bytes)"),
        ("  opened", report.data_opened),
        ("user packets recovered", report.user_packets),
        ("user bytes recovered", report.user_bytes),
        ("frames with the marker in clear", report.frames_in_clear),
    ]
    return "".join(f"{name + ':':<52}{value}\n" for name, value in lines)


def met(report: Report, expected: str) -> bool:
    """Whether the capture is worth something and the outcome is the expected one."""
    if not report.sessions or report.transcripts != report.sessions or not report.data_messages:
        return False
    if expected == "nothing":
        return not (report.user_bytes or report.data_opened or report.sessions_opened
                    or report.frames_in_clear)
    return report.data_opened == report.data_messages and report.user_bytes > 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path, help="pcap of the link, from the very start")
    parser.add_argument("--secrets", type=Path, action="append", default=[], metavar="FILE",
                        help="a dump (TRELLIS_SECRET_DUMP of a dumping build); may be repeated")
    parser.add_argument("--preshared-keys", action="store_true",
                        help="also try the preshared keys of the dumps")
    parser.add_argument("--marker", default="", help="text that is in the user traffic")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--expect", choices=("nothing", "everything"),
                        help="exit status 1 unless this is what was recovered, with all "
                             "transcripts recomputed")
    arguments = parser.parse_args()
    try:
        secrets = dump.read(arguments.secrets)
        report = record(arguments.capture, secrets, preshared_keys=arguments.preshared_keys,
                        marker=arguments.marker.encode()).report
    except (OSError, ValueError) as error:
        sys.exit(f"recorder: {error}")
    if arguments.json:
        print(json.dumps(dataclasses.asdict(report), indent=2))
    else:
        print(text_of(report), end="")
    if arguments.expect and not met(report, arguments.expect):
        print(f"recorder: not {arguments.expect}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
