"""The lab tests itself: a tool that does not see what it should would prove nothing."""

import base64
import os
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
import unittest
from pathlib import Path

import pytest

import labkit
from labkit import classify, find_secrets, iperf3, ping, pcap, search_files, start_ping, wireguard
from labkit.measure import parse_ping

SEND_NUMBERED = textwrap.dedent("""
    import socket, sys, time
    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        for number in range(int(sys.argv[2])):
            payload = bytes.fromhex(sys.argv[3]) + number.to_bytes(4, "big")
            sender.sendto(payload, (sys.argv[1], 7000))
            time.sleep(0.001)
""")


def send_numbered(host, address, count, prefix=b""):
    """Sends datagrams to port 7000 that end in their number."""
    host.run(sys.executable, "-c", SEND_NUMBERED, address, str(count), prefix.hex())


def numbers(capture):
    return [int.from_bytes(d.payload[-4:], "big") for d in capture.datagrams() if d.dport == 7000]


def test_two_hosts_ping_each_other_over_both_families(two_hosts):
    alice, bob, link = two_hosts
    for source, target in ((alice, link.end(bob)), (bob, link.end(alice))):
        for address in (target.v4, target.v6):
            seen = ping(source, address, count=3, interval=0.01)
            assert (seen.sent, seen.received, seen.lost) == (3, 3, 0), address


def test_a_router_joins_two_links(lab):
    alice, router, bob = lab.host("alice"), lab.router("router"), lab.host("bob")
    left, right = lab.link(alice, router), lab.link(bob, router)
    alice.route(right.v4, left.end(router).v4)
    alice.route(right.v6, left.end(router).v6)
    bob.route(left.v4, right.end(router).v4)
    bob.route(left.v6, right.end(router).v6)
    assert ping(alice, right.end(bob).v4, count=2, interval=0.01).lost == 0
    assert ping(alice, right.end(bob).v6, count=2, interval=0.01).lost == 0


def test_a_capture_sees_every_datagram_from_the_first(lab, two_hosts):
    alice, bob, link = two_hosts
    capture = lab.capture(bob, link)
    send_numbered(alice, link.end(bob).v4, 50, b"four")
    send_numbered(alice, link.end(bob).v6, 50, b"six!")
    capture.stop()
    assert numbers(capture) == [*range(50), *range(50)]
    first = capture.datagrams()[0]
    assert (first.src, first.dst, first.dport) == (link.end(alice).v4, link.end(bob).v4, 7000)
    assert first.payload == b"four" + bytes(4) and abs(first.time - time.time()) < 30
    last = capture.datagrams()[-1]
    assert (last.src, last.dst) == (link.end(alice).v6, link.end(bob).v6)
    assert capture.contains(b"six!") and not capture.contains(b"five")


def test_a_capture_shows_single_datagrams_of_a_batch(lab, two_hosts):
    """Segmentation offload would show 20 datagrams as one."""
    alice, bob, link = two_hosts
    capture = lab.capture(bob, link)
    alice.run(sys.executable, "-c", textwrap.dedent("""
        import socket, sys
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(17, 103, 1000)  # UDP_SEGMENT
            sender.sendto(bytes(20 * 1000), (sys.argv[1], 7000))
    """), link.end(bob).v4)
    capture.stop()
    assert [len(d.payload) for d in capture.datagrams() if d.dport == 7000] == [1000] * 20


def test_a_capture_of_a_busy_interface_misses_nothing_at_its_end(lab, two_hosts):
    alice, bob, link = two_hosts
    capture = lab.capture(bob, link, "udp")
    alice.run(sys.executable, "-c", textwrap.dedent("""
        import socket, sys
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(20000):
                sender.sendto(number.to_bytes(4, "big") + bytes(1000), (sys.argv[1], 7000))
    """), link.end(bob).v4)
    capture.stop()
    assert len([d for d in capture.datagrams() if d.dport == 7000]) == 20000


def test_the_cable_is_perfect_until_told_otherwise(lab, impaired_hosts):
    alice, bob, link, wire = impaired_hosts
    for address in (link.end(bob).v4, link.end(bob).v6):
        assert ping(alice, address, count=20, interval=0.005).lost == 0
    capture = lab.capture(bob, link)
    send_numbered(alice, link.end(bob).v4, 500)
    wire.drain()
    capture.stop()
    assert numbers(capture) == list(range(500))
    assert wire.counters(sent_by=alice)["lost"] == 0


def test_the_cable_loses_the_configured_share(lab, impaired_hosts):
    alice, bob, link, wire = impaired_hosts
    capture = lab.capture(bob, link)
    wire.set(loss=0.3, sent_by=alice)
    send_numbered(alice, link.end(bob).v4, 2000)
    wire.drain()
    capture.stop()
    arrived = len(numbers(capture))
    # 2000 draws of 0.7: the standard deviation is 20.5.
    assert 1400 - 103 <= arrived <= 1400 + 103
    assert wire.counters(sent_by=alice)["lost"] == 2000 - arrived
    assert wire.counters(sent_by=bob)["lost"] == 0


def test_the_cable_delays_each_direction_by_itself(impaired_hosts):
    alice, bob, link, wire = impaired_hosts
    ping(alice, link.end(bob).v4, count=1)  # resolves the address
    wire.set(delay=40, sent_by=alice)
    slow = ping(alice, link.end(bob).v4, count=5, interval=0.05)
    wire.set(delay=40)
    slower = ping(alice, link.end(bob).v4, count=5, interval=0.05)
    assert slow.lost == slower.lost == 0
    # A busy machine adds to some of them, but never takes away.
    assert 40 <= min(slow.rtts.values()) < 60, slow.rtts
    assert 80 <= min(slower.rtts.values()) < 110, slower.rtts


def test_the_cable_reorders_and_doubles_when_asked(lab, impaired_hosts):
    alice, bob, link, wire = impaired_hosts
    capture = lab.capture(bob, link)
    wire.set(delay=5, jitter=5, sent_by=alice)
    send_numbered(alice, link.end(bob).v4, 300)
    wire.drain()
    wire.set(reorder=0.2, duplicate=0.1, sent_by=alice)
    send_numbered(alice, link.end(bob).v4, 300)
    wire.drain()
    capture.stop()
    seen = numbers(capture)
    assert seen[:300] == list(range(300)), "jitter alone keeps the order"
    seen = seen[300:]
    assert set(seen) == set(range(300)) and seen != sorted(seen)
    assert len(seen) - 300 == wire.counters(sent_by=alice)["duplicated"] > 0


def test_the_cable_drops_by_class(lab, impaired_hosts):
    alice, bob, link, wire = impaired_hosts
    capture = lab.capture(bob, link)
    hello = bytes([0x81]) + bytes(1092 - 5)
    initiation = (1).to_bytes(4, "little") + bytes(148 - 8)
    for drop in (["rosenpass"], ["wireguard-initiation"], []):
        wire.set(drop=drop)
        send_numbered(alice, link.end(bob).v6, 3, hello)
        send_numbered(alice, link.end(bob).v6, 3, initiation)
        wire.drain()
    capture.stop()
    kinds = [classify(d.payload) for d in capture.datagrams() if d.dport == 7000]
    assert kinds == (["wireguard-initiation"] * 3 + ["rosenpass-InitHello"] * 3
                     + ["rosenpass-InitHello"] * 3 + ["wireguard-initiation"] * 3)
    assert wire.counters(sent_by=alice)["dropped"] == 6


def test_a_cut_cable_passes_nothing_until_mended(impaired_hosts):
    alice, bob, link, wire = impaired_hosts
    assert ping(alice, link.end(bob).v4, count=1).lost == 0
    wire.cut()
    assert ping(alice, link.end(bob).v4, count=3, interval=0.01, wait=0.2).received == 0
    wire.set()
    assert ping(alice, link.end(bob).v4, count=3, interval=0.01).lost == 0


def test_a_running_ping_tells_what_was_lost(impaired_hosts):
    alice, bob, link, wire = impaired_hosts
    ping(alice, link.end(bob).v4, count=1)
    running = start_ping(alice, link.end(bob).v4, interval=0.01)
    labkit.wait_until(lambda: running.so_far() >= 20, 5)
    wire.cut()
    time.sleep(0.3)
    wire.set()
    before = running.so_far()
    labkit.wait_until(lambda: running.so_far() >= before + 20, 5)
    seen = running.finish()
    assert 15 <= seen.longest_outage <= 45
    # The very last packet may still have been under way.
    assert seen.longest_outage <= seen.lost <= seen.longest_outage + 1
    assert seen.missing[0] > 20


def test_iperf3_is_parsed(two_hosts):
    labkit.find_tool("iperf3")
    alice, bob, link = two_hosts
    tcp = iperf3(alice, bob, link.end(bob).v4, seconds=1)
    assert tcp.bits_per_second > 10e6
    udp = iperf3(alice, bob, link.end(bob).v6, seconds=1, options=("-u", "-b", "5M"))
    assert 0 < udp.bits_per_second < 7e6 and udp.lost_share < 0.5


def test_pings_are_parsed_past_the_end_of_their_sequence_numbers():
    line = "[1795253130.5] 64 bytes from 10.77.2.2: icmp_seq={} ttl=64 time=0.05 ms{}"
    lines = [line.format(n % 65536, "") for n in range(65530, 65541) if n != 65537]
    lines.insert(1, line.format(65530, " (DUP!)"))
    seen = parse_ping("\n".join(lines) + "\n\n65540 packets transmitted, 10 received, 0% loss\n")
    assert seen.duplicates == 1
    assert sorted(seen.rtts) == [n for n in range(65530, 65541) if n != 65537]


@pytest.mark.parametrize("payload, kind", [
    (b"", "unknown"),
    (struct.pack("<I", 1) + bytes(144), "wireguard-initiation"),
    (struct.pack("<I", 2) + bytes(88), "wireguard-response"),
    (struct.pack("<I", 3) + bytes(60), "wireguard-cookie"),
    (struct.pack("<I", 4) + bytes(28), "wireguard-data"),
    (struct.pack("<I", 4) + bytes(27), "unknown"),
    (struct.pack("<I", 5) + bytes(60), "unknown"),
    (struct.pack("<I", 0x101) + bytes(60), "unknown"),
    (b"\x81" + bytes(1091), "rosenpass-InitHello"),
    (b"\x81" + bytes(1059), "unknown"),
    (b"\x82" + bytes(1131), "rosenpass-RespHello"),
    (b"\x83" + bytes(175), "rosenpass-InitConf"),
    (b"\x84" + bytes(63), "rosenpass-EmptyData"),
    (b"\x86" + bytes(1091), "rosenpass-CookieReply"),
    (struct.pack(">HHI", 1, 0, 0x2112A442) + bytes(12), "stun"),
    (struct.pack(">HHI", 1, 8, 0x2112A442) + bytes(20), "stun"),
    (struct.pack(">HHI", 1, 4, 0x2112A442) + bytes(12), "unknown"),
    # A WireGuard index may equal the magic cookie.
    (struct.pack("<I", 4) + struct.pack(">I", 0x2112A442) + bytes(24), "wireguard-data"),
])
def test_datagrams_are_classified_as_the_demultiplexer_does(payload, kind):
    assert classify(payload) == kind


def test_secrets_are_found_in_every_encoding():
    secret = bytes(range(7, 39))
    clean = bytes(range(100, 250)) * 40
    assert find_secrets(clean, {"key": secret}) == []
    for name, text in {
        "raw": secret,
        "hex": secret.hex().encode(),
        "hex ": secret.hex().upper().encode(),
        "base64+0": base64.b64encode(secret),
        "base64+1": base64.b64encode(b"x" + secret + b"yz"),
        "base64+2": base64.b64encode(b"xy" + secret + b"z"),
    }.items():
        leaks = find_secrets(clean + text + clean, {"key": secret})
        assert [leak.encoding for leak in leaks] == [name.strip()], name
    url = bytes([0xFB, 0xEF, 0xBE] * 8)
    found = find_secrets(base64.urlsafe_b64encode(url), {"key": url})
    assert [leak.encoding for leak in found] == ["base64url+0"]


def test_secrets_are_found_in_files_and_folders(tmp_path):
    secret = os.urandom(32)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log").write_bytes(b"key=" + base64.b64encode(secret) + b"\n")
    (tmp_path / "empty").write_bytes(b"")
    leaks = search_files([tmp_path], {"osk": secret, "other": os.urandom(32)})
    assert [(leak.secret, leak.where, leak.offset) for leak in leaks] == [
        ("osk", str(tmp_path / "a" / "log"), 4)]
    with pytest.raises(ValueError):
        find_secrets(b"", {"short": b"1234"})


def test_fragments_are_marked():
    udp = struct.pack(">HHHH", 1, 2, 8 + 1400, 0) + bytes(1400)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + 808, 1, 0x2000, 64, 17, 0) + bytes(8)
    tail = struct.pack(">BBHHHBBH", 0x45, 0, 20 + 600, 1, 101, 64, 17, 0) + bytes(8)
    first = pcap.parse_ip(0, head + udp[:808])
    second = pcap.parse_ip(0, tail + udp[808:])
    assert pcap.parse_udp(first).fragment and first.first
    assert second.fragment and not second.first and pcap.parse_udp(second) is None


def test_a_process_that_ends_early_fails_its_wait_with_what_it_said(lab):
    host = lab.host("alice")
    process = host.spawn("sh", "-c", "echo no such key >&2; exit 3")
    with pytest.raises(labkit.CommandFailed, match="no such key"):
        process.wait_for("ready", 5)
    with pytest.raises(labkit.TimedOut):
        host.spawn("sleep", "60").wait_for("ready", 0.1)
    with pytest.raises(labkit.CommandFailed, match="exit status 1"):
        host.run("false")


CHILD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts beside it ignores it
sys.path.insert(0, {folder!r})
import labkit, pathlib
with labkit.Lab(pathlib.Path({directory!r})) as lab:
    alice, bob = lab.host("alice"), lab.host("bob")
    lab.impaired_link(alice, bob)
    alice.spawn("sleep", "600")
    # One that ignores SIGTERM and has left its parent's session.
    alice.spawn("setsid", "sh", "-c", "trap '' TERM; while true; do sleep 1; done")
    print("ready", flush=True)
    {ending}
"""


@pytest.mark.parametrize("ending, kill_with", [
    ("raise RuntimeError('a failing test')", None),
    ("time.sleep(60)", signal.SIGINT),
    ("time.sleep(60)", signal.SIGKILL),
])
def test_nothing_is_left_behind(namespaces, tmp_path, ending, kill_with):
    script = CHILD.format(folder=str(Path(__file__).parent), directory=str(tmp_path), ending=ending)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        if kill_with:
            assert len(labkit.leftovers(child.pid)) == 3
            child.send_signal(kill_with)
        assert child.wait(20) != 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    if kill_with == signal.SIGKILL:  # nobody could clean up: the next run does
        left = labkit.leftovers(child.pid)
        assert len(left) == 3 and set(left) <= set(labkit.leftovers())
        assert set(left) <= set(labkit.sweep())
    assert labkit.leftovers(child.pid) == []


def test_wireguard_go_talks_to_itself_under_a_preshared_key(lab, tun, two_hosts):
    labkit.find_tool("wireguard-go")
    labkit.find_tool("wg")
    alice, bob, link = two_hosts
    capture = lab.capture(alice, link, "udp")
    keys = {host: wireguard.key_pair() for host in (alice, bob)}
    psk = wireguard.preshared_key()
    devices = {host: wireguard.wireguard_go(host) for host in (alice, bob)}
    for number, (host, peer) in enumerate(((alice, bob), (bob, alice)), start=1):
        devices[host].identify(keys[host], 51820)
        devices[host].add_peer(keys[peer].public, psk=psk, allowed=(f"10.9.0.{3 - number}/32",),
                               endpoint=wireguard.endpoint(link.end(peer).v6, 51820))
        devices[host].bring_up(f"10.9.0.{number}/24")
    assert ping(alice, "10.9.0.2", count=3, interval=0.05).lost == 0
    shown = devices[bob].show()
    peer = shown.peers[keys[alice].public]
    assert shown.listen_port == 51820 and shown.public_key == keys[bob].public
    assert peer.preshared_key == psk and peer.allowed_ips == ("10.9.0.1/32",)
    assert abs(peer.latest_handshake - time.time()) < 30 and peer.received > 3 * 100
    kinds = [classify(d.payload) for d in capture.stop().datagrams()]
    assert kinds[:3] == ["wireguard-initiation", "wireguard-response", "wireguard-data"]


def test_the_lab_has_no_way_out(lab):
    """Hosts have no link but those that a test makes."""
    host = lab.host("alice")
    assert host.run("ip", "-o", "link").stdout.count("\n") == 1
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        attempt = host.run("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}", check=False)
        assert attempt.returncode != 0


def test_a_program_that_is_not_built_is_a_skip(monkeypatch, tmp_path):
    monkeypatch.setenv("TRELLIS_BUILD", str(tmp_path))
    with pytest.raises(unittest.SkipTest, match=f"trellis-wg is not built in {tmp_path}"):
        labkit.find_program("trellis-wg")
    (tmp_path / "trellis-wg").touch(mode=0o755)
    assert labkit.find_program("trellis-wg") == tmp_path / "trellis-wg"
