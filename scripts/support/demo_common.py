"""What the demos share: words with a clock, checks, a lab that is always cleaned up."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from labkit import Lab, leftovers, sweep  # noqa: E402
from labkit.fixtures import namespaces_reason, tun_reason  # noqa: E402

STARTED = time.monotonic()
# ping rounds its interval up to the kernel's clock ticks: 10 ms would become 16.
OFTEN = 0.006


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


def seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    try:
        return float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)
    except (ValueError, IndexError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s or 11m") from None


class Renewals:
    """Follows one end of a pair through its keys: which are made, which carry the session."""

    def __init__(self, label: str, peer: Callable[[], dict]):
        self.label = label
        self._peer = peer
        self.seen = peer()["renewals"]
        self.under_new_key = 0
        self._waiting = False

    def look(self) -> None:
        peer = self._peer()
        if not peer["post_quantum"]:
            raise AssertionError(f"{self.label}: not post-quantum any more: {peer['why_not']}")
        if peer["renewals"] != self.seen:
            self.seen = peer["renewals"]
            self._waiting = True
            say(f"{self.label}: renewal {self.seen}, a key {peer['current_key_age_seconds']:.1f} s "
                "old")
        same = abs(peer["session_key_age_seconds"] - peer["current_key_age_seconds"]) < 0.01
        if self._waiting and same:
            self._waiting = False
            self.under_new_key += 1
            say(f"{self.label}:   the session in use, {peer['session_age_seconds']:.1f} s old, is "
                "under it")


def watch(pings: dict, renewals: list[Renewals], duration: float) -> None:
    """Pings until `duration` is over (`pings`: running ones by their labels); no packet may be
    lost, and after 11 minutes each pair has had four renewals with a session under them."""
    say(f"pinging more than a hundred times a second for {duration:.0f} s ...")
    end = time.monotonic() + duration
    while time.monotonic() < end:
        time.sleep(1)
        for pair in renewals:
            pair.look()
    for label, running in pings.items():
        result = running.finish()
        lost = [n for n in result.missing if n != result.sent]  # the last one may be under way
        say(f"{label}: {result.sent} pings, {result.sent / duration:.0f} a second, {len(lost)} lost")
        if lost:
            raise AssertionError(f"{label} lost: {lost[:20]}")
    for pair in renewals:
        say(f"{pair.label}: {pair.seen} renewals, a session under each of {pair.under_new_key}")
        if duration >= 660 and pair.under_new_key < 4:
            raise AssertionError("fewer than four renewals with a session under them")


def interrupt(_number, _frame):
    raise KeyboardInterrupt


def run_demo(demo: Callable[[Lab, Path, float], None]) -> int:
    """Runs `demo` in a lab of its own; returns the exit status."""
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
            for log in sorted(Path(folder).glob("**/*.log")):
                print(f"--- the end of {log.name}\n{log.read_text(errors='replace')[-2000:]}",
                      file=sys.stderr)
            return 1
    left = leftovers()
    if left:
        print(f"scripts/demo: left behind: {left}", file=sys.stderr)
        return 1
    say("all is cleaned up")
    return 0
