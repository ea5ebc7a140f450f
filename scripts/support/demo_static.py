"""What scripts/demo --static shows: two hosts that know each other from a file, without a server."""

import sys
from pathlib import Path

from demo_common import OFTEN, Renewals, run_demo, say, watch
from labkit import Lab, iperf3, ping, start_ping
from labkit.trellis import Agent, make_pair, wait_for_pair


def check_ping(source: Agent, address: str) -> None:
    result = ping(source.host, address, count=5, interval=0.05)
    if result.lost:
        raise AssertionError(f"{source.name}: {result.lost} of {result.sent} pings to {address} lost")
    rtts = sorted(result.rtts.values())
    say(f"{source.name} pings {address}: {result.sent} of {result.sent}, "
        f"median {rtts[len(rtts) // 2]:.2f} ms")


def demo(lab: Lab, folder: Path, duration: float) -> None:
    host_a, host_b = lab.host("alice"), lab.host("bob")
    link = lab.link(host_a, host_b, offload=True)
    say("two hosts on one cable")
    alice, bob = make_pair(host_a, host_b, link, folder)
    say("each has made its keys, WireGuard and Rosenpass, and lists the other in a file")
    alice.start()
    bob.start()
    took = wait_for_pair(alice, bob)
    say(f"the pair is up, {took:.2f} s after both agents have started")
    for address in (bob.v4, bob.v6):
        check_ping(alice, address)
    for address in (alice.v4, alice.v6):
        check_ping(bob, address)
    figure = iperf3(host_a, host_b, bob.v4, seconds=2)
    say(f"iperf3, one TCP stream through the tunnel: {figure.bits_per_second / 1e6:.0f} Mbit/s")
    if duration:
        running = start_ping(host_a, bob.v4, interval=OFTEN)
        watch({"alice to bob": running}, [Renewals("alice and bob", lambda: alice.peer(bob))],
              duration)
    print()
    print(alice.table())
    if not alice.peer(bob)["post_quantum"] or not bob.peer(alice)["post_quantum"]:
        raise AssertionError("the pair is not post-quantum")
    for agent in (alice, bob):
        if agent.stop() != 0:
            raise AssertionError(f"{agent.name}: trellisd did not end well")


if __name__ == "__main__":
    sys.exit(run_demo(demo))
