"""What is taken away from under a trellis-wg: it comes back, or ends and says why."""

import os
import signal
import time
from pathlib import Path

import pytest

import labkit
from labkit import iperf3, ping, start_ping, uapi, wireguard
from labkit.measure import answers_within
from labkit.tunnel import converse, join, side

TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def program(tun):
    labkit.find_tool("wg")
    return labkit.find_program("trellis-wg")


def make_tunnel(program, link, alice, bob, family="v4"):
    ends = [side(host, link, wireguard.trellis_wg(host, program)) for host in (alice, bob)]
    join(*ends, family=family)
    assert ping(alice, ends[1].inner4, count=2, wait=3).lost == 0
    return ends


@pytest.fixture
def tunnel(program, two_hosts):
    alice, bob, link = two_hosts
    return make_tunnel(program, link, alice, bob)


def cpu_share(end, seconds: float = 2) -> float:
    """Of one core, that the program uses now."""
    def used() -> float:
        fields = Path(f"/proc/{end.device.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    before = used()
    time.sleep(seconds)
    return (used() - before) / seconds


def test_it_ends_when_its_interface_is_deleted_under_load(tunnel):
    alice, bob = tunnel
    pings = start_ping(alice.host, bob.inner4, interval=0.002)
    time.sleep(0.3)
    alice.host.ip("link", "del", alice.device.name)
    assert alice.device.process.wait(5) == 0
    assert not alice.device.socket.exists()
    assert cpu_share(bob) < 0.1
    pings.process.stop()


def test_it_goes_on_when_the_network_under_it_comes_back(tunnel, two_hosts):
    alice, bob = tunnel
    _, _, link = two_hosts
    pings = start_ping(alice.host, bob.inner4, interval=0.01)
    link.down(alice.host)
    time.sleep(0.2)
    assert cpu_share(alice) < 0.1
    assert uapi.counters(alice.device)["udp_unreachable"] > 50
    link.up(alice.host)
    assert answers_within(alice.host, bob.inner4, 5) < 5
    pings.process.stop()


def test_it_goes_on_when_a_firewall_forbids_its_packets_and_allows_them_again(tunnel):
    alice, bob = tunnel
    alice.host.ip("route", "add", "prohibit", f"{bob.outer4}/32")
    pings = start_ping(alice.host, bob.inner4, interval=0.01)
    assert cpu_share(alice) < 0.1
    assert uapi.counters(alice.device)["udp_forbidden"] > 50
    alice.host.ip("route", "del", "prohibit", f"{bob.outer4}/32")
    assert answers_within(alice.host, bob.inner4, 5) < 5
    pings.process.stop()


def test_an_interface_that_is_down_costs_nothing_and_comes_back(tunnel):
    alice, bob = tunnel
    pings = start_ping(alice.host, bob.inner4, interval=0.01)
    bob.host.ip("link", "set", bob.device.name, "down")
    time.sleep(0.2)
    assert cpu_share(bob) < 0.1
    assert uapi.counters(bob.device)["tun_dropped"] > 50
    bob.host.ip("link", "set", bob.device.name, "up")
    assert answers_within(alice.host, bob.inner4, 5) < 5
    pings.process.stop()


def test_it_goes_on_after_it_was_stopped_for_a_while(tunnel):
    alice, bob = tunnel
    pings = start_ping(alice.host, bob.inner4, interval=0.01)
    alice.device.process.signal(signal.SIGSTOP)
    time.sleep(4)
    alice.device.process.signal(signal.SIGCONT)
    assert answers_within(alice.host, bob.inner4, 2) < 2
    pings.process.stop()
    assert cpu_share(alice) < 0.1


def test_a_narrow_queue_loses_packets_and_nothing_else(tunnel, two_hosts):
    alice, bob = tunnel
    _, _, link = two_hosts
    alice.host.run("tc", "qdisc", "add", "dev", link.end(alice.host).interface, "root", "tbf",
                   "rate", "20mbit", "burst", "4kb", "limit", "6kb")
    flow = iperf3(alice.host, bob.host, bob.inner4, seconds=2)
    assert flow.bits_per_second > 5e6
    alice.host.run("tc", "qdisc", "del", "dev", link.end(alice.host).interface, "root")
    converse(alice, bob)


def test_a_log_that_cannot_be_written_does_not_matter(program, two_hosts):
    alice, bob, link = two_hosts
    ends = []
    for host in (alice, bob):
        name = wireguard.unique_interface()
        process = host.spawn("sh", "-c", f"exec {program} {name} --foreground 2>/dev/full",
                             name=name, env={"LOG_LEVEL": "verbose"})
        device = wireguard.Device(host, name, process)
        host.on_close(device.stop)
        ends.append(side(host, link, device))
    join(*ends)
    assert ping(alice, ends[1].inner4, count=2, wait=3).lost == 0
    converse(*ends)


@pytest.fixture
def narrow(lab, program):
    """A tunnel with an MTU of 1,280 over IPv6 with an MTU of 1,280."""
    alice, bob = lab.host("alice"), lab.host("bob")
    link = lab.link(alice, bob, mtu=1280)
    ends = make_tunnel(program, link, alice, bob, family="v6")
    for end in ends:
        end.host.ip("link", "set", end.device.name, "mtu", "1280")
    return ends, link


def test_over_a_path_of_1280_bytes_hosts_are_told_what_fits_and_nothing_is_cut(lab, narrow):
    (alice, bob), link = narrow
    capture = lab.capture(alice.host, link, "udp or ip6 proto 44")
    # The first packet finds out, the next ones are answered.
    said = alice.host.run("ping", "-c", "5", "-i", "0.2", "-W", "1", "-M", "do", "-s", "1252",
                          bob.inner4, check=False).stdout
    assert "mtu=1200" in said.replace(" ", ""), said
    assert ping(alice.host, bob.inner4, count=3, size=1200 - 28).lost == 0
    flow = iperf3(alice.host, bob.host, bob.inner4, seconds=1)
    assert flow.bits_per_second > 5e6
    flow = iperf3(alice.host, bob.host, bob.inner4, seconds=1, options=("-R",))
    assert flow.bits_per_second > 5e6
    counters = uapi.counters(alice.device)
    assert counters["udp_too_long"] >= 1 and counters["too_big"] >= 1
    capture.stop()
    assert not any(packet.fragment for packet in capture.packets())


def test_ipv6_of_its_smallest_mtu_passes_a_path_of_1280_bytes_in_fragments_and_that_is_said(
        lab, narrow):
    (alice, bob), link = narrow
    ping(alice.host, bob.inner6, count=2, size=1280 - 48)  # finds out
    assert ping(alice.host, bob.inner6, count=3, size=1280 - 48).lost == 0
    flow = iperf3(alice.host, bob.host, bob.inner6, seconds=1)
    assert flow.bits_per_second > 1e6
    said = alice.device.process.text()
    assert "sent in fragments" in said and "1200 bytes inside the tunnel" in said, said


def test_over_ipv4_its_packets_may_not_be_cut_on_the_way(lab, tunnel, two_hosts):
    alice, bob = tunnel
    capture = lab.capture(bob.host, two_hosts[2], "udp")
    converse(alice, bob)
    capture.stop()
    frames = [frame for _, kind, frame in labkit.pcap.frames(capture.path.read_bytes())]
    packets = [ip for ip in (labkit.pcap.ip_of(1, frame) for frame in frames) if ip]
    udp = [ip for ip in packets if ip[0] >> 4 == 4 and ip[9] == 17]
    assert udp and all(ip[6] & 0x40 for ip in udp)


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_congestion_is_told_across_the_tunnel_and_nothing_else_of_the_traffic_class(
        lab, program, two_hosts, family):
    alice, bob, link = two_hosts
    ends = make_tunnel(program, link, alice, bob, family=family)
    capture = lab.capture(bob, link, "udp")
    inside = lab.capture_interface(bob, ends[1].device.name, name="inside")
    for traffic_class in ("0xb8", "0xba", "0xbb"):
        alice.run("ping", "-c", "2", "-i", "0.2", "-Q", traffic_class, ends[1].inner4)
    capture.stop()
    inside.stop()

    def classes(found, source) -> set[int]:
        packets = [labkit.pcap.ip_of(kind, frame)
                   for _, kind, frame in labkit.pcap.frames(found.path.read_bytes())]
        return {ip[1] if ip[0] >> 4 == 4 else (ip[0] << 4 | ip[1] >> 4) & 0xff
                for ip in packets if ip and source in (ip[12:16], ip[8:24])}

    import ipaddress
    outer = ipaddress.ip_address(getattr(ends[0], f"outer{family[1]}")).packed
    inner = ipaddress.ip_address(ends[0].inner4).packed
    assert classes(capture, outer) == {0, 2}  # no DSCP; congestion is not claimed of the path
    assert classes(inside, inner) == {0xb8, 0xba, 0xbb}
