"""trellis-wg and a kernel's WireGuard under a flood of handshakes: the other one shows a cookie."""

import sys
import time

import labkit
import pytest
from labkit import classify
from labkit.measure import answers_within
from labkit.tunnel import Side, join
from wireguard_peers import outer_interface

pytestmark = pytest.mark.usefixtures("kernel_wireguard")  # before `lab`: it outlives the test

# More than the virtual machine can work on, and less than it can send cookies: those that come
# seconds late are for an initiation before the last one.
PER_SECOND = 1000
FLOOD_SECONDS = 70  # at most
GET_THROUGH_SECONDS = 60  # an initiation is repeated every 5 s, and may be one of many that drop
MAC_BYTES = 16
FLOOD = """
import socket, sys, time
to = (sys.argv[1], int(sys.argv[2]))
message, per_second, seconds = bytes.fromhex(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
udp = socket.socket(type=socket.SOCK_DGRAM)
started, sent = time.monotonic(), 0
while (passed := time.monotonic() - started) < seconds:
    while sent < passed * per_second:
        udp.sendto(message, to)
        sent += 1
    time.sleep(0.002)
"""


def forget(side: Side, other: Side) -> None:
    """The session and all that goes with it, but not who the other is."""
    side.device.set("peer", other.keys.public, "remove")
    side.device.add_peer(other.keys.public, allowed=other.allowed, endpoint=other.outer("v4"))


@pytest.mark.parametrize("we_are_flooded", [True, False], ids=["ours", "theirs"])
def test_a_handshake_gets_through_a_flood_with_a_cookie(kernel_wireguard, lab, foreign_wireguard,
                                                        we_are_flooded):
    """An initiation from before, over and over from elsewhere: its mac1 is right."""
    ours, theirs = foreign_wireguard.tunnel(lab, kernel_wireguard)
    flooded, caller = (ours, theirs) if we_are_flooded else (theirs, ours)
    capture = lab.capture_interface(ours.host, outer_interface(ours),
                                    f"udp and port {ours.port} and port {theirs.port}")
    join(caller, flooded)
    answers_within(caller.host, flooded.inner4, 5)
    first = next(d for d in capture.datagrams() if classify(d.payload) == "wireguard-initiation")
    assert first.payload[-MAC_BYTES:] == bytes(MAC_BYTES)
    flood = foreign_wireguard.guest.router.spawn(
        sys.executable, "-I", "-c", FLOOD, flooded.outer4, str(flooded.port), first.payload.hex(),
        str(PER_SECOND), str(FLOOD_SECONDS), name="flood")
    try:
        time.sleep(2)
        began = time.time()
        forget(caller, flooded)
        took = answers_within(caller.host, flooded.inner4, GET_THROUGH_SECONDS)
    finally:
        flood.stop()
    messages = [(d.sport, classify(d.payload), d.payload[-MAC_BYTES:])
                for d in capture.stop().datagrams() if d.time >= began]
    print(f"answered after {took:.1f} s:",
          [(port, kind) for port, kind, _ in messages if kind != "wireguard-data"])
    cookie = next(at for at, (port, kind, _) in enumerate(messages)
                  if (port, kind) == (flooded.port, "wireguard-cookie"))
    # The flooded one may begin by itself, too: then the caller's response shows the cookie.
    assert any(port == caller.port and mac2 != bytes(MAC_BYTES)
               and kind in ("wireguard-initiation", "wireguard-response")
               for port, kind, mac2 in messages[cookie:])
