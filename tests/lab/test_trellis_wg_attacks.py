"""What strangers and replays can do to a trellis-wg: be counted."""

import hashlib
import json
import os
import sys
import time

import pytest

import labkit
from base64 import b64decode
from labkit import ping, uapi, wireguard
from labkit.tunnel import converse, join, side

# Sends what stands on its input, in JSON: [source, port, destination, port, payload in hex] each.
SPOOF = """
import json, socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for source, sport, target, dport, payload in json.load(sys.stdin):
    payload = bytes.fromhex(payload)
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                     socket.inet_aton(source), socket.inet_aton(target))
    raw.sendto(ip + udp, (target, 0))
"""


@pytest.fixture
def tunnel(tun, two_hosts):
    labkit.find_tool("wg")
    program = labkit.find_program("trellis-wg")
    alice, bob, link = two_hosts
    ends = [side(host, link, wireguard.trellis_wg(host, program)) for host in (alice, bob)]
    join(*ends)
    assert ping(alice, ends[1].inner4, count=2, wait=3).lost == 0
    return ends


def send(host, datagrams) -> None:
    """`datagrams`: (source, port, destination, port, payload), from any source."""
    text = json.dumps([[*addresses, payload.hex()] for *addresses, payload in datagrams])
    host.run(sys.executable, "-I", "-c", SPOOF, input=text)


def initiation(receiver: str) -> bytes:
    """Well formed, for whoever has this public key, by somebody who has nothing else of him."""
    message = b"\1\0\0\0" + os.urandom(112)
    key = hashlib.blake2s(b"mac1----" + b64decode(receiver)).digest()
    return message + hashlib.blake2s(message, key=key, digest_size=16).digest() + bytes(16)


def dropped_since(end, before: dict[str, int], total: int) -> dict[str, int]:
    """The drops since `before`, once they are so many."""
    def differences() -> dict[str, int]:
        now = uapi.counters(end.device)
        return {name: value - before.get(name, 0) for name, value in now.items()
                if value != before.get(name, 0)}

    labkit.wait_until(lambda: sum(differences().values()) >= total, 5, f"{total} drops")
    time.sleep(0.1)
    return differences()


def state(end, other) -> tuple:
    peer = end.peer(other)
    return peer.endpoint, peer.latest_handshake, peer.received, peer.sent


def test_strangers_hear_nothing_and_each_of_their_datagrams_is_counted(lab, tunnel, two_hosts):
    alice, bob = tunnel
    capture = lab.capture(bob.host, two_hosts[2], "udp")
    before, was = uapi.counters(bob.device), state(bob, alice)
    stranger = (alice.outer4, 40_000, bob.outer4, bob.port)
    well_formed = initiation(bob.keys.public)
    wrong_mac = bytearray(initiation(bob.keys.public))
    wrong_mac[120] ^= 1
    send(alice.host, [
        *[(*stranger, well_formed)] * 5,  # opens for nobody
        *[(*stranger, bytes(wrong_mac))] * 5,
        *[(*stranger, well_formed[:n]) for n in (1, 31, 32, 147)],
        (*stranger, well_formed + b"\0"),
        (*stranger, b"\2\0\0\0" + os.urandom(88)),  # a response to nothing
        (*stranger, b"\3\0\0\0" + os.urandom(60)),  # a cookie for nothing
        *[(*stranger, b"\4\0\0\0" + os.urandom(28 + 16 * n)) for n in range(5)],  # no session
        *[(*stranger, bytes([5 + n]) + os.urandom(100)) for n in range(5)],  # of no type
    ])
    assert dropped_since(bob, before, 27) == {
        "bad_handshake": 5, "bad_mac1": 5, "malformed": 10, "unknown_index": 7}
    assert state(bob, alice) == was
    capture.stop()
    answers = [d for d in capture.datagrams() if d.dport == 40_000]
    assert answers == []
    converse(alice, bob)


def test_replays_and_reflections_change_nothing(lab, tunnel, two_hosts):
    alice, bob = tunnel
    capture = lab.capture(bob.host, two_hosts[2], "udp")
    converse(alice, bob)
    capture.stop()
    seen = [d for d in capture.datagrams() if d.dport == bob.port]
    assert len(seen) > 20
    for source in ((alice.outer4, alice.port), (alice.outer4, 40_001)):
        before, was = uapi.counters(bob.device), state(bob, alice)
        send(alice.host, [(*source, bob.outer4, bob.port, d.payload) for d in seen])
        assert dropped_since(bob, before, len(seen)) == {"replayed": len(seen)}
        assert state(bob, alice) == was
    # What Alice sent comes back to her, as if Bob had sent it.
    before, was = uapi.counters(alice.device), state(alice, bob)
    send(bob.host, [(bob.outer4, bob.port, alice.outer4, alice.port, d.payload) for d in seen])
    assert dropped_since(alice, before, len(seen)) == {"unknown_index": len(seen)}
    assert state(alice, bob) == was
    converse(alice, bob)


def test_damaged_data_is_counted_and_does_not_stand_in_the_way_of_the_genuine(lab, tunnel,
                                                                             two_hosts):
    alice, bob = tunnel
    capture = lab.capture(bob.host, two_hosts[2], "udp")
    converse(alice, bob)
    capture.stop()
    genuine = [d.payload for d in capture.datagrams() if d.dport == bob.port][-1]
    ahead = bytearray(genuine)  # a counter that will be used soon
    ahead[8:16] = (int.from_bytes(genuine[8:16], "little") + 20).to_bytes(8, "little")
    before, was = uapi.counters(bob.device), state(bob, alice)
    send(alice.host, [(alice.outer4, alice.port, bob.outer4, bob.port, bytes(ahead))] * 20)
    assert dropped_since(bob, before, 20) == {"bad_tag": 20}
    assert state(bob, alice) == was
    before = uapi.counters(bob.device)
    converse(alice, bob)
    converse(alice, bob)  # past that counter
    assert uapi.counters(bob.device) == before
