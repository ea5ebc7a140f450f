"""The judgements on captures, over captures made by hand."""

import struct

from labkit import verdict
from labkit.pcap import Datagram

HELLO, RESPONSE = b"\x81" + bytes(1091), b"\x82" + bytes(1131)
CONF, EMPTY = b"\x83" + bytes(175), b"\x84" + bytes(63)
INITIATION = struct.pack("<I", 1) + bytes(144)
ALICE, BOB, CAROL = "10.77.1.1", "10.77.1.2", "10.77.1.3"


def datagrams(*sent, ports=(1000, 1000)):
    """(source, destination, payload) in order, a second apart."""
    return [Datagram(float(n), src, dst, ports[0], ports[1], payload)
            for n, (src, dst, payload) in enumerate(sent)]


def exchange(initiator, responder):
    return [(initiator, responder, HELLO), (responder, initiator, RESPONSE),
            (initiator, responder, CONF), (responder, initiator, EMPTY)]


def test_wireguard_after_a_whole_exchange_is_right():
    for first, second in ((ALICE, BOB), (BOB, ALICE)):
        seen = datagrams(*exchange(first, second), (ALICE, BOB, INITIATION))
        assert verdict.before_exchange(seen) == []
        assert verdict.completions(seen) == [3.0]


def test_wireguard_before_any_step_of_the_exchange_is_found():
    for step in range(4):
        sent = exchange(ALICE, BOB)
        sent.insert(step, (BOB, ALICE, INITIATION))
        assert [d.time for d in verdict.before_exchange(datagrams(*sent))] == [float(step)]


def test_an_exchange_that_lacks_a_step_or_comes_from_the_wrong_side_counts_for_nothing():
    for step in range(4):
        sent = exchange(ALICE, BOB)
        del sent[step]
        seen = datagrams(*sent, (ALICE, BOB, INITIATION))
        assert len(verdict.before_exchange(seen)) == 1 and verdict.completions(seen) == []
        sent = exchange(ALICE, BOB)
        source, destination, payload = sent[step]
        sent[step] = (destination, source, payload)
        assert len(verdict.before_exchange(datagrams(*sent, (ALICE, BOB, INITIATION)))) == 1


def test_the_exchange_of_another_pair_does_not_count():
    seen = datagrams(*exchange(ALICE, CAROL), (ALICE, BOB, INITIATION))
    assert len(verdict.before_exchange(seen)) == 1


def test_crossing_exchanges_and_repeats_are_followed():
    sent = [(ALICE, BOB, HELLO), (BOB, ALICE, HELLO), (ALICE, BOB, HELLO), (BOB, ALICE, RESPONSE),
            (ALICE, BOB, RESPONSE), (BOB, ALICE, CONF), (ALICE, BOB, EMPTY), (ALICE, BOB, CONF),
            (ALICE, BOB, CONF), (BOB, ALICE, EMPTY), (BOB, ALICE, EMPTY)]
    assert verdict.completions(datagrams(*sent)) == [6.0, 9.0]


def test_ports_sizes_and_strangers():
    seen = datagrams(*exchange(ALICE, BOB), (ALICE, BOB, b"plain"))
    assert verdict.ports(seen) == {ALICE: {1000}, BOB: {1000}}
    assert verdict.largest_of_exchange(seen) == 1132
    assert [d.payload for d in verdict.unknown(seen)] == [b"plain"]
    assert verdict.largest_of_exchange(datagrams((ALICE, BOB, INITIATION))) == 0
