"""What scripts/demo shows, once everything is built."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from labkit import Lab, iperf3, leftovers, ping, start_ping, sweep  # noqa: E402
from labkit.fixtures import namespaces_reason, tun_reason  # noqa: E402
from labkit.trellis import Agent, make_pair, wait_for_pair  # noqa: E402

STARTED = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


def seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    try:
        return float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)
    except (ValueError, IndexError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s or 11m") from None


def check_ping(source: Agent, address: str) -> None:
    result = ping(source.host, address, count=5, interval=0.05)
    if result.lost:
        raise AssertionError(f"{source.name}: {result.lost} of {result.sent} pings to {address} lost")
    rtts = sorted(result.rtts.values())
    say(f"{source.name} pings {address}: {result.sent} of {result.sent}, "
        f"median {rtts[len(rtts) // 2]:.2f} ms")


def watch(alice: Agent, bob: Agent, duration: float) -> None:
    """Pings at 100 Hz or more through renewals; every change of key and session is shown."""
    say(f"pinging more than a hundred times a second for {duration:.0f} s ...")
    # ping rounds its interval up to the kernel's clock ticks: 10 ms would become 16.
    running = start_ping(alice.host, bob.v4, interval=0.006)
    end = time.monotonic() + duration
    renewals = alice.peer(bob)["renewals"]
    under_new_key = 0
    waiting = False
    while time.monotonic() < end:
        time.sleep(1)
        peer = alice.peer(bob)
        if not peer["post_quantum"]:
            raise AssertionError(f"not post-quantum any more: {peer['why_not']}")
        if peer["renewals"] != renewals:
            renewals = peer["renewals"]
            waiting = True
            say(f"renewal {renewals}: a new key, {peer['current_key_age_seconds']:.1f} s old")
        if waiting and abs(peer["session_key_age_seconds"] - peer["current_key_age_seconds"]) < 0.01:
            waiting = False
            under_new_key += 1
            say(f"  the session in use, {peer['session_age_seconds']:.1f} s old, is under it")
    result = running.finish()
    lost = [n for n in result.missing if n != result.sent]  # the last one may be under way
    say(f"{result.sent} pings, {result.sent / duration:.0f} a second, {len(lost)} lost; "
        f"{renewals} renewals, a session under each of {under_new_key}")
    if lost:
        raise AssertionError(f"lost: {lost[:20]}")
    if duration >= 660 and under_new_key < 4:
        raise AssertionError("fewer than four renewals with a session under them")


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
        watch(alice, bob, duration)
    print()
    print(alice.table())
    if not alice.peer(bob)["post_quantum"] or not bob.peer(alice)["post_quantum"]:
        raise AssertionError("the pair is not post-quantum")
    for agent in (alice, bob):
        if agent.stop() != 0:
            raise AssertionError(f"{agent.name}: trellisd did not end well")


def interrupt(_number, _frame):
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo")
    parser.add_argument("--watch", type=seconds, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    reason = namespaces_reason() or tun_reason()
    if reason:
        print(f"scripts/demo: {reason}", file=sys.stderr)
        return 1
    sweep()
    with tempfile.TemporaryDirectory(prefix="trellis-demo-") as folder:
        try:
            with Lab(Path(folder) / "logs") as lab:
                demo(lab, Path(folder), options.watch)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except AssertionError as error:
            print(f"scripts/demo: {error}", file=sys.stderr)
            for log in sorted(Path(folder).glob("logs/*.log")):
                print(f"--- the end of {log.name}\n{log.read_text(errors='replace')[-2000:]}",
                      file=sys.stderr)
            return 1
    left = leftovers()
    if left:
        print(f"scripts/demo: left behind: {left}", file=sys.stderr)
        return 1
    say("all is cleaned up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
