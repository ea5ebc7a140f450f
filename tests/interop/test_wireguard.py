"""trellis-wg with foreign implementations of WireGuard in user space, in both roles."""

import time

import labkit
import peers
import pytest
from labkit import Host, ping, wireguard
from labkit.tunnel import Side, assert_passes, join, side
from labkit.wireguard import preshared_key

BORINGTUN_VERSION = "0.7.1"
GOTATUN_VERSION = "0.10.2"
CRATES = {
    "boringtun": ("boringtun-cli", BORINGTUN_VERSION, "boringtun-cli"),
    "gotatun": ("gotatun-cli", GOTATUN_VERSION, "gotatun"),
}
EVERY_CASE = [
    pytest.param(begins, family, psk, id=f"{'initiator' if begins else 'responder'}-{family}-"
                                         f"{'psk' if psk else 'no-psk'}")
    for begins in (True, False) for family in ("v4", "v6") for psk in (True, False)
]
LONG_SECONDS = 60


@pytest.fixture(scope="session")
def crates():
    """Gives the program of a crate, built when first asked for; skips if it cannot be."""
    def get(name: str):
        try:
            return peers.cargo_install(*CRATES[name])
        except peers.Unavailable as reason:
            pytest.skip(f"{name}: {reason}")

    return get


def foreign_device(host: Host, program, name: str) -> wireguard.Device:
    interface = wireguard.unique_interface()
    process = host.spawn(str(program), "-f", interface, "--disable-drop-privileges",
                         name=f"{name}-{interface}")
    device = wireguard.Device(host, interface, process)
    host.on_close(device.stop)
    return device


@pytest.fixture
def ours(tun, two_hosts) -> Side:
    """trellis-wg on alice."""
    labkit.find_tool("wg")
    program = labkit.find_program("trellis-wg")
    alice, _, link = two_hosts
    return side(alice, link, wireguard.trellis_wg(alice, program))


@pytest.fixture(params=list(CRATES))
def theirs(request, tun, two_hosts, crates) -> Side:
    """The other one on bob."""
    _, bob, link = two_hosts
    return side(bob, link, foreign_device(bob, crates(request.param), request.param))


def assert_shown(ours: Side, theirs: Side, family: str, key: str | None, since: int) -> None:
    """Ours says all that is so; theirs what it knows of it: boringtun keeps its own key to itself,
    and tells the age of the handshake for its time."""
    for a, b in ((ours, theirs), (theirs, ours)):
        shown = a.device.show()
        peer = shown.peers[b.keys.public]
        assert list(shown.peers) == [b.keys.public] and shown.listen_port == a.port
        assert peer.endpoint == b.outer(family)  # learned, or as configured
        assert set(peer.allowed_ips) == set(b.allowed)
        assert peer.sent > 28000 and peer.received > 28000  # 48 pings of both sizes
    shown = ours.device.show()
    peer = shown.peers[theirs.keys.public]
    assert shown.private_key == ours.keys.private and shown.public_key == ours.keys.public
    assert peer.preshared_key == key
    assert since <= peer.latest_handshake <= int(time.time()) + 1


@pytest.mark.parametrize("we_begin, family, psk", EVERY_CASE)
def test_the_tunnel_carries_and_wg_shows_it(ours, theirs, we_begin, family, psk):
    key = preshared_key() if psk else None
    first, second = (ours, theirs) if we_begin else (theirs, ours)
    join(first, second, family, key)
    since = int(time.time())
    assert ping(first.host, second.inner4, count=1, wait=3).lost == 0
    assert_passes(first, second)
    assert_shown(ours, theirs, family, key, since)


@pytest.mark.parametrize("we_begin", [True, False], ids=["initiator", "responder"])
def test_a_wrong_preshared_key_lets_nothing_pass(ours, theirs, we_begin):
    first, second = (ours, theirs) if we_begin else (theirs, ours)
    second.device.add_peer(first.keys.public, allowed=first.allowed, psk=preshared_key())
    first.device.add_peer(second.keys.public, allowed=second.allowed, psk=preshared_key(),
                          endpoint=second.outer("v4"))
    assert ping(first.host, second.inner4, count=3, interval=0.1).received == 0
    assert ours.peer(theirs).latest_handshake == 0


@pytest.mark.parametrize("we_begin", [True, False], ids=["initiator", "responder"])
def test_tcp_flows_both_ways(ours, theirs, we_begin):
    labkit.find_tool("iperf3")
    first, second = (ours, theirs) if we_begin else (theirs, ours)
    join(first, second, psk=preshared_key())
    assert ping(first.host, second.inner4, count=1, wait=3).lost == 0
    there = labkit.iperf3(ours.host, theirs.host, theirs.inner4, seconds=2)
    back = labkit.iperf3(ours.host, theirs.host, theirs.inner6, seconds=2, options=("-R",))
    assert there.bits_per_second > 20e6 and back.bits_per_second > 20e6


@pytest.mark.long
@pytest.mark.parametrize("we_begin, family, psk", EVERY_CASE)
def test_a_minute_of_pings_loses_nothing(ours, theirs, we_begin, family, psk):
    key = preshared_key() if psk else None
    first, second = (ours, theirs) if we_begin else (theirs, ours)
    join(first, second, family, key)
    since = int(time.time())
    assert ping(first.host, second.inner4, count=1, wait=3).lost == 0
    running = [labkit.start_ping(first.host, second.inner4, interval=0.05, size=1200),
               labkit.start_ping(second.host, first.inner6, interval=0.05)]
    time.sleep(LONG_SECONDS)
    for seen in (r.finish() for r in running):
        assert seen.sent > LONG_SECONDS * 15
        assert [n for n in seen.missing if n < seen.sent] == []
    assert_shown(ours, theirs, family, key, since)
