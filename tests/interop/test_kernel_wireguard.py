"""trellis-wg beside a kernel's WireGuard: what of a packet shows outside, marks, and timers.

Both ends of a tunnel go through the same, so that each case also shows that it tells the kernel's
way, not only ours.
"""

import struct
import time
from contextlib import ExitStack

import labkit
import pytest
from labkit import classify, pcap, ping
from labkit.tunnel import Side, join
from wireguard_peers import outer_interface

pytestmark = pytest.mark.usefixtures("kernel_wireguard")  # before `lab`: it outlives the test

FAMILIES = ["v4", "v6"]
NOT_ECT, ECT1, ECT0, CE = range(4)  # [RFC 3168 5]
EXPEDITED = 0xB8  # a DSCP, as it stands in the byte with the ECN bits
# The inner byte, and the outer one.
OUTSIDE = {
    NOT_ECT: NOT_ECT, ECT1: ECT1, ECT0: ECT0, CE: ECT0,
    EXPEDITED: NOT_ECT, EXPEDITED | ECT0: ECT0, EXPEDITED | CE: ECT0,
}
HANDSHAKE_CLASS = 0x88  # AF41
MARK = 0x51
DATA_OVERHEAD = 32
ICMP_AND_IP = {"v4": 28, "v6": 48}
KEEPALIVE_TIMEOUT = 10  # [WireGuard 6.1]
REKEY_TIMEOUT = 5
REKEY_ATTEMPT_TIME = 90
JITTER = 0.334  # what the kernel adds to REKEY_TIMEOUT at most
LATE = 0.4  # of timers, on a busy machine


@pytest.fixture
def tunnels(kernel_wireguard, lab, foreign_wireguard):
    """Makes tunnels between ours and the kernel's."""
    return lambda: foreign_wireguard.tunnel(lab, kernel_wireguard)


@pytest.fixture
def both(tunnels) -> tuple[Side, Side]:
    return tunnels()


def watch(lab, ours: Side) -> labkit.Capture:
    return lab.capture_interface(ours.host, outer_interface(ours), "udp")


def traffic_class(ip: bytes) -> int:
    return ip[1] if ip[0] >> 4 == 4 else struct.unpack_from(">H", ip)[0] >> 4 & 0xFF


def classes(capture: labkit.Capture) -> list[tuple[int, bytes, int]]:
    """Source port, payload and traffic class of every datagram."""
    found = []
    for when, link_type, frame in pcap.frames(capture.path.read_bytes()):
        ip = pcap.ip_of(link_type, frame)
        packet = pcap.parse_ip(when, ip) if ip else None
        datagram = pcap.parse_udp(packet) if packet else None
        if datagram:
            found.append((datagram.sport, datagram.payload, traffic_class(ip)))
    return found


def ping_with(side: Side, address: str, traffic: int, size: int) -> None:
    side.host.run("ping", "-n", "-c", "1", "-W", "3", "-Q", str(traffic), "-s", str(size), address)


def data_length(family: str, size: int) -> int:
    """Of the WireGuard message that carries a ping."""
    return DATA_OVERHEAD + -(-(ICMP_AND_IP[family] + size) // 16) * 16


@pytest.mark.parametrize("inner", FAMILIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_ecn_shows_outside_and_dscp_does_not(lab, both, family, inner):
    ours, theirs = both
    capture = watch(lab, ours)
    join(ours, theirs, family)
    seen = {}
    for number, (a, b) in enumerate(((ours, theirs), (theirs, ours))):
        for step, traffic in enumerate(OUTSIDE):
            size = 100 + 16 * (2 * step + number)  # a length of its own: answers are no requests
            ping_with(a, b.inner4 if inner == "v4" else b.inner6, traffic, size)
            seen[a.port, data_length(inner, size)] = OUTSIDE[traffic]
    datagrams = classes(capture.stop())
    found = {(port, len(payload)): outer for port, payload, outer in datagrams
             if (port, len(payload)) in seen}
    assert found == seen
    shakes = {(port, classify(payload)): outer for port, payload, outer in datagrams
              if classify(payload) != "wireguard-data"}
    assert shakes == {(ours.port, "wireguard-initiation"): HANDSHAKE_CLASS,
                      (theirs.port, "wireguard-response"): HANDSHAKE_CLASS}


@pytest.mark.parametrize("inner", FAMILIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_congestion_on_the_way_is_told_inside(lab, both, foreign_wireguard, family, inner):
    """A router on the way marks all; the kernel's answers have the class of what they answer."""
    labkit.find_tool("nft")
    ours, theirs = both
    join(ours, theirs, family)
    assert ping(ours.host, theirs.inner4, count=1, wait=3).lost == 0
    capture = lab.capture_interface(ours.host, ours.device.name)
    word = "ip" if family == "v4" else "ip6"
    sizes = {}
    with Rule(foreign_wireguard.guest.router, "forward", f"{word} ecn set ce"):
        for step, traffic in enumerate((NOT_ECT, ECT1, ECT0, CE, EXPEDITED | ECT0)):
            sizes[100 + 16 * step] = traffic
            ping_with(theirs, ours.inner4 if inner == "v4" else ours.inner6, traffic,
                      100 + 16 * step)
    capture.stop()
    found = {}
    source = theirs.inner4 if inner == "v4" else theirs.inner6
    for when, link_type, frame in pcap.frames(capture.path.read_bytes()):
        ip = pcap.ip_of(link_type, frame)
        packet = pcap.parse_ip(when, ip) if ip else None
        if packet and packet.src == source and len(packet.payload) - 8 in sizes:
            found[len(packet.payload) - 8] = traffic_class(ip)
    assert found == {size: traffic if traffic & CE == NOT_ECT else traffic | CE
                     for size, traffic in sizes.items()}


class Rule:
    """What a host does with UDP, while the block runs. `hook`: of nftables, such as forward."""

    def __init__(self, host: labkit.Host, hook: str, statement: str):
        self.host = host
        self.text = (f"table inet way {{ chain {hook} {{ type filter hook {hook} priority 0;"
                     f" meta l4proto udp {statement}; }}; }}\n")

    def __enter__(self) -> None:
        self.host.run("nft", "-f", "-", input=self.text)

    def __exit__(self, *exception) -> None:
        self.host.run("nft", "delete", "table", "inet", "way")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mark_chooses_the_way_of_what_leaves(both, family):
    """Marked, the tunnel's own packets go nowhere; on both ends, and back when the mark is gone."""
    ours, theirs = both
    join(ours, theirs, family)
    assert ping(ours.host, theirs.inner4, count=1, wait=3).lost == 0
    version = "-4" if family == "v4" else "-6"
    for side, machine in ((ours, ours.host), (theirs, theirs.host.guest)):
        machine.ip(version, "rule", "add", "fwmark", hex(MARK), "lookup", "77", "priority", "10")
        machine.ip(version, "route", "add", "blackhole", "default", "table", "77")
        try:
            side.device.set("fwmark", hex(MARK))
            assert side.device.show().fwmark == MARK
            assert ping(ours.host, theirs.inner4, count=2, interval=0.05, wait=0.5).received == 0
            side.device.set("fwmark", "0")
            assert side.device.show().fwmark == 0
            assert ping(ours.host, theirs.inner4, count=2, interval=0.05, wait=3).lost == 0
        finally:
            machine.ip(version, "rule", "del", "fwmark", hex(MARK), "lookup", "77")
            machine.ip(version, "route", "flush", "table", "77")


def sent_by(capture: labkit.Capture, side: Side, kind: str, length: int | None = None
            ) -> list[float]:
    """When a side sent messages of a kind."""
    return [d.time for d in capture.datagrams() if d.sport == side.port
            and classify(d.payload) == kind and length in (None, len(d.payload))]


def quiet(side: Side) -> None:
    """Its host answers no ping any more: what arrives has no answer but the device's own."""
    side.host.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")


def connected(tunnels, we_begin: bool) -> tuple[Side, Side]:
    """A tunnel with a session, the one who began first; no host answers pings from now on."""
    ours, theirs = tunnels()
    first, second = (ours, theirs) if we_begin else (theirs, ours)
    join(first, second)
    assert ping(first.host, second.inner4, count=1, wait=3).lost == 0
    quiet(first)
    quiet(second)
    return first, second


@pytest.mark.long
def test_persistent_keepalives_come_in_time(lab, tunnels):
    captures = []
    for we_begin in (True, False):
        first, second = connected(tunnels, we_begin)
        captures.append((watch(lab, first if we_begin else second), first))
        first.device.set("peer", second.keys.public, "persistent-keepalive", "3")
    time.sleep(16)
    for capture, first in captures:
        times = sent_by(capture.stop(), first, "wireguard-data", DATA_OVERHEAD)
        assert len(times) >= 5, first
        steps = [b - a for a, b in zip(times, times[1:])]
        print(first.host, [f"{step:.3f}" for step in steps])
        assert all(3 - 0.05 <= step <= 3 + LATE for step in steps), first


@pytest.mark.long
def test_what_has_no_answer_is_answered_by_a_keepalive_after_10_seconds(lab, tunnels):
    captures = []
    for we_begin in (True, False):
        first, second = connected(tunnels, we_begin)
        capture = watch(lab, first if we_begin else second)
        ping(first.host, second.inner4, count=1, wait=0.1)
        captures.append((capture, first, second))
    time.sleep(KEEPALIVE_TIMEOUT + 2)
    for capture, first, second in captures:
        data, = sent_by(capture.stop(), first, "wireguard-data", data_length("v4", 56))
        answer, = sent_by(capture, second, "wireguard-data")
        print(second.host, f"{answer - data:.3f}")
        assert KEEPALIVE_TIMEOUT - 0.05 <= answer - data <= KEEPALIVE_TIMEOUT + LATE, second
        assert sent_by(capture, first, "wireguard-initiation") == []


@pytest.mark.long
def test_silence_begins_a_handshake_after_15_seconds_and_repeats_it(lab, tunnels):
    """Who sent and hears nothing asks anew after KEEPALIVE_TIMEOUT + REKEY_TIMEOUT, then every
    REKEY_TIMEOUT, a little apart each time."""
    labkit.find_tool("nft")
    captures = []
    pairs = [(connected(tunnels, we_begin), we_begin) for we_begin in (True, False)]
    time.sleep(KEEPALIVE_TIMEOUT + 1)  # until nobody waits for an answer
    with ExitStack() as deaf:
        for (first, second), we_begin in pairs:
            ours = first if we_begin else second
            deaf.enter_context(Rule(ours.host, "input", "drop"))
            captures.append((watch(lab, ours), first, second))
            ping(first.host, second.inner4, count=1, wait=0.1)
        time.sleep(KEEPALIVE_TIMEOUT + 3 * REKEY_TIMEOUT + 2)
    for capture, first, second in captures:
        data, = sent_by(capture.stop(), first, "wireguard-data", data_length("v4", 56))
        times = sent_by(capture, first, "wireguard-initiation")
        print(first.host, [f"{when - data:.3f}" for when in times])
        assert len(times) >= 3, first
        first_wait = KEEPALIVE_TIMEOUT + REKEY_TIMEOUT
        assert first_wait - 0.05 <= times[0] - data <= first_wait + JITTER + LATE, first
        for a, b in zip(times, times[1:]):
            assert REKEY_TIMEOUT - 0.05 <= b - a <= REKEY_TIMEOUT + JITTER + LATE, first


@pytest.mark.long
def test_who_hears_nothing_gives_up_after_90_seconds_until_there_is_traffic(lab, tunnels):
    labkit.find_tool("nft")
    captures = []
    with ExitStack() as deaf:
        for we_begin in (True, False):
            ours, theirs = tunnels()
            first, second = (ours, theirs) if we_begin else (theirs, ours)
            deaf.enter_context(Rule(ours.host, "input", "drop"))
            captures.append((watch(lab, ours), first, second))
            join(first, second)
            ping(first.host, second.inner4, count=1, wait=0.1)
        time.sleep(REKEY_ATTEMPT_TIME + 5 * REKEY_TIMEOUT)
        again = time.time()
        for _, first, second in captures:
            ping(first.host, second.inner4, count=1, wait=0.1)
        time.sleep(1)
    for capture, first, second in captures:
        times = sent_by(capture.stop(), first, "wireguard-initiation")
        tried = [when - times[0] for when in times if when < again]
        print(first.host, f"{len(tried)} attempts, the last after {tried[-1]:.1f} s")
        # The kernel counts attempts, and so takes a little longer with its jitter.
        assert REKEY_ATTEMPT_TIME - 2 * REKEY_TIMEOUT <= tried[-1], first
        assert tried[-1] <= REKEY_ATTEMPT_TIME + 3 * REKEY_TIMEOUT, first
        assert len([when for when in times if when >= again]) == 1, first
