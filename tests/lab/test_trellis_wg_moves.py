"""trellis-wg whose interface moves, and whose port, key and mark change while it runs."""

import sys
from pathlib import Path

import pytest

import labkit
from labkit import ping, tunnel, wireguard
from labkit.measure import answers_within
from labkit.process import run
from labkit.tunnel import INNER4, INNER6, PORTS, assert_passes, join, side
from labkit.wireguard import key_pair, secret_file

MARK = 0x51
CAPABILITIES = "0000000000001400"  # CAP_NET_ADMIN, CAP_NET_BIND_SERVICE
BIND = """
import socket, sys, time
udp = socket.socket(type=socket.SOCK_DGRAM)
udp.bind(("", int(sys.argv[1])))
print("bound", flush=True)
time.sleep(60)
"""


@pytest.fixture
def program(tun):
    labkit.find_tool("wg")
    return labkit.find_program("trellis-wg")


@pytest.fixture
def ours(program, two_hosts):
    alice, _, link = two_hosts
    return side(alice, link, wireguard.trellis_wg(alice, program))


@pytest.fixture
def theirs(program, two_hosts):
    labkit.find_tool("wireguard-go")
    _, bob, link = two_hosts
    return side(bob, link, wireguard.wireguard_go(bob))


def move(device, host) -> None:
    """What a container's network is given: the interface, and then addresses."""
    device.host.ip("link", "set", device.name, "netns", host.namespace)
    device.host = host
    name = device.host.name.replace("room", "alice")
    device.bring_up(f"{INNER4[name]}/24", f"{INNER6[name]}/64")


def udp_ports(host) -> set[int]:
    """Ports at which programs of a namespace receive."""
    lines = host.run("ss", "-Hnul").stdout.splitlines()
    return {int(line.split()[3].rsplit(":", 1)[1]) for line in lines}


def test_an_interface_in_another_namespace_sends_through_the_one_where_it_was_born(
        lab, ours, theirs):
    join(ours, theirs)
    assert ping(ours.host, theirs.inner4, count=1, wait=3).lost == 0
    handshake = ours.peer(theirs).latest_handshake
    born, room = ours.host, lab.host("room")  # without any other way out
    move(ours.device, room)
    ours.host = room
    assert not born.has_interface(ours.device.name)
    assert_passes(ours, theirs)
    assert ours.peer(theirs).latest_handshake == handshake, "the session outlives the move"
    assert udp_ports(room) == set() and ours.port in udp_ports(born)
    # Sockets of other ports are born there, too.
    ours.device.set("listen-port", "51888")
    assert udp_ports(room) == set() and 51888 in udp_ports(born)
    assert_passes(ours, theirs)
    assert theirs.peer(ours).endpoint == f"{ours.outer4}:51888"


def test_an_interface_ends_with_the_namespace_that_it_was_moved_into(lab, ours):
    born, room = ours.host, lab.host("room")
    move(ours.device, room)
    run(["ip", "netns", "delete", room.namespace])
    assert ours.device.process.wait(5) == 0 and not ours.device.socket.exists()
    ours.device.host = born


@pytest.mark.parametrize("by_path", [False, True], ids=["name", "path"])
def test_the_underlay_can_be_another_namespace_from_the_start(lab, program, theirs, two_hosts,
                                                              by_path):
    alice, _, link = two_hosts
    room, name = lab.host("room"), wireguard.unique_interface()
    underlay = f"/run/netns/{alice.namespace}" if by_path else alice.namespace
    process = room.spawn(str(program), name, "-f", "--namespace", underlay)
    device = wireguard.Device(room, name, process)
    room.on_close(device.stop)
    device.identify(keys := key_pair(), PORTS["alice"])
    device.bring_up(f"{INNER4['alice']}/24", f"{INNER6['alice']}/64")
    end = link.end(alice)
    ours = tunnel.Side(room, device, keys, PORTS["alice"], INNER4["alice"], INNER6["alice"],
                              end.v4, end.v6)
    join(ours, theirs)
    assert ping(room, theirs.inner4, count=1, wait=3).lost == 0
    assert_passes(ours, theirs)
    assert udp_ports(room) == set() and not alice.has_interface(name)


@pytest.mark.parametrize("wrong, reason", [
    ("no-such-namespace", "there is no network namespace no-such-namespace"),
    ("/etc/passwd", "/etc/passwd is no network namespace"),
])
def test_a_wrong_namespace_is_refused(program, lab, wrong, reason):
    alice, name = lab.host("alice"), wireguard.unique_interface()
    said = alice.run(str(program), name, "--namespace", wrong, check=False)
    assert said.returncode == 1 and reason in said.stderr, said.stderr
    assert not alice.has_interface(name)
    assert not (wireguard.SOCKETS / f"{name}.sock").exists()


def test_a_new_port_keeps_the_session(ours, theirs):
    join(ours, theirs)
    assert ping(ours.host, theirs.inner4, count=1, wait=3).lost == 0
    handshake = ours.peer(theirs).latest_handshake
    ours.device.set("listen-port", "443")  # below 1024
    assert ours.device.show().listen_port == 443
    assert_passes(ours, theirs)
    assert theirs.peer(ours).endpoint == f"{ours.outer4}:443"
    assert ours.peer(theirs).latest_handshake == handshake
    ours.device.set("listen-port", "0")
    assert ours.device.show().listen_port not in (0, 443)
    assert_passes(ours, theirs)


def test_a_port_that_is_taken_is_refused_and_the_old_one_stays(ours, theirs):
    join(ours, theirs)
    other = ours.host.spawn(sys.executable, "-c", BIND, "7777")
    other.wait_for("bound")
    said = ours.host.run("wg", "set", ours.device.name, "listen-port", "7777", check=False)
    assert said.returncode != 0 and "in use" in said.stderr
    assert ours.device.show().listen_port == ours.port
    assert ping(ours.host, theirs.inner4, count=1, wait=3).lost == 0


def test_a_new_private_key_ends_the_sessions_of_the_old_one(ours, theirs):
    join(ours, theirs)
    assert ping(ours.host, theirs.inner4, count=1, wait=3).lost == 0
    new = key_pair()
    with secret_file(new.private) as file:
        ours.device.set("private-key", file.name)
    assert ours.device.show().public_key == new.public
    # Who does not know the new key gets nowhere.
    assert ping(ours.host, theirs.inner4, count=2, interval=0.1).received == 0
    theirs.device.set("peer", ours.keys.public, "remove")
    theirs.device.add_peer(new.public, allowed=ours.allowed)
    answers_within(ours.host, theirs.inner4, 12)  # an initiation is repeated after 5 s
    assert list(theirs.device.show().peers) == [new.public]


def test_the_mark_is_on_every_packet_also_after_a_new_port(ours, theirs, two_hosts):
    """A rule by the mark is their only way out."""
    alice, _, link = two_hosts
    join(ours, theirs)
    host, route = alice, f"{theirs.outer4}/32"
    device = link.end(alice).interface
    host.ip("route", "add", route, "dev", device, "table", "77")
    host.ip("rule", "add", "fwmark", hex(MARK), "lookup", "77", "priority", "10")
    host.ip("rule", "add", "to", route, "unreachable", "priority", "20")
    assert ping(host, theirs.inner4, count=2, interval=0.1, wait=0.5).received == 0
    ours.device.set("fwmark", hex(MARK))
    assert ours.device.show().fwmark == MARK
    answers_within(host, theirs.inner4, 12)
    ours.device.set("listen-port", "51777")
    assert ping(host, theirs.inner4, count=1, wait=3).lost == 0
    ours.device.set("fwmark", "0")
    assert ours.device.show().fwmark == 0
    assert ping(host, theirs.inner4, count=2, interval=0.1, wait=0.5).received == 0


def test_once_the_device_is_made_it_has_no_more_rights_than_it_needs(ours, theirs):
    status = dict(line.split(":\t") for line in
                  Path(f"/proc/{ours.device.process.pid}/status").read_text().splitlines()
                  if ":\t" in line)
    assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == CAPABILITIES
    assert status["CapInh"] == status["CapAmb"] == "0" * 16 and status["NoNewPrivs"] == "1"
    # And these are enough for all that `wg` asks for, and for leaving nothing behind.
    join(ours, theirs)
    ours.device.set("listen-port", "53", "fwmark", "7")
    assert ping(ours.host, theirs.inner4, count=1, wait=3).lost == 0
    assert ours.device.process.stop() == 0
    assert not ours.device.socket.exists() and not ours.host.has_interface(ours.device.name)
