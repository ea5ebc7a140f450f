"""What a tunnel loses while it gets a new preshared key every few seconds.

Usage: run.py [--minutes 10] [--every 5] [--peers trellis,wireguard-go-2026] [--capacity-seconds 5]

See README.md. Each pair runs twice: with new keys, and without (the control).
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "tests" / "interop"),
                str(ROOT / "bench" / "dataplane")]

import peers  # noqa: E402
from labkit import Lab, MissingProgram, iperf3, ping, start_ping, sweep, uapi  # noqa: E402
from labkit.fixtures import namespaces_reason, tun_reason  # noqa: E402
from labkit.measure import parse_iperf  # noqa: E402
from labkit.wireguard import (Device, endpoint, key_pair, preshared_key,  # noqa: E402
                              secret_file, unique_interface)
from tunnels import INNER, PORTS, PRODUCTS  # noqa: E402

PING_INTERVAL = 0.001
LOAD_PORT = 5202
SHARE_OF_SESSIONS = 110 / 120  # of the changes of keys that must have made a session
# TCP loses segments of its own accord, and never twice the same number.
RETRANSMITS_ALIKE = 1.25
RETRANSMITS_MORE = 10
# Data that did not open, or had no session to open it.
UNDECRYPTABLE = ("bad_tag", "unknown_index", "expired_session")


class Pair:
    """Ours at one end, that or another product at the other, with keys that the test sets."""

    def __init__(self, lab: Lab, other):
        ours = PRODUCTS["trellis"]()
        self.a, self.b = lab.host("a"), lab.host("b")
        link = lab.link(self.a, self.b, offload=True)
        self.devices = (self._device(ours, self.a), self._device(other, self.b))
        self.ours = self.devices if other.name == ours.name else self.devices[:1]
        self.keys = [key_pair(), key_pair()]
        for device, own, port, inner in zip(self.devices, self.keys, PORTS, INNER):
            device.identify(own, port)
            device.bring_up(f"{inner}/24")
        psk = preshared_key()
        for i, device in enumerate(self.devices):
            end = link.end((self.a, self.b)[1 - i])
            device.add_peer(self.keys[1 - i].public, allowed=(f"{INNER[1 - i]}/32",), psk=psk,
                            endpoint=endpoint(end.v4, PORTS[1 - i]))

    @staticmethod
    def _device(product, host) -> Device:
        name = unique_interface()
        process = host.spawn(*product.command(name), name=name, env=product.env)
        device = Device(host, name, process)
        host.on_close(device.stop)
        return device

    def new_key(self) -> float:
        """Gives both ends a new key; returns when one had it: no session that is made from then on
        is under the old one. Ours comes last, for it begins."""
        with secret_file(preshared_key()) as file:
            self.devices[1].set("peer", self.keys[0].public, "preshared-key", file.name)
            one_has_it = time.time()
            self.devices[0].set("peer", self.keys[1].public, "preshared-key", file.name)
        return one_has_it

    def session_since(self, moment: float, timeout: float) -> float | None:
        """Seconds until both ends had a session that is younger than `moment`."""
        deadline = time.time() + timeout
        while time.time() < deadline:
            if all(uapi.handshake_time(device) >= moment for device in self.devices):
                return time.time() - moment
            time.sleep(0.02)
        return None

    def undecryptable(self) -> int:
        return sum(uapi.counters(device).get(name, 0)
                   for device in self.ours for name in UNDECRYPTABLE)

    def drops(self) -> dict[str, int]:
        result: dict[str, int] = {}
        for device in self.ours:
            for name, value in uapi.counters(device).items():
                result[name] = result.get(name, 0) + value
        return result


@dataclass
class Outcome:
    pings: int = 0
    lost: int = 0
    longest: int = 0
    retransmits: int = 0
    megabits: float = 0
    changes: int = 0
    takeovers: list[float] = field(default_factory=list)
    undecryptable: int = 0
    drops: dict[str, int] = field(default_factory=dict)


def change_keys(pair: Pair, until: float, every: float, outcome: Outcome) -> None:
    while time.time() + every <= until:
        began = time.time()
        given = pair.new_key()
        outcome.changes += 1
        took = pair.session_since(given, every - 1)
        if took is not None:
            outcome.takeovers.append(took)
        time.sleep(max(0.0, began + every - time.time()))


def load(pair: Pair, megabits: float, seconds: float, every: float | None) -> Outcome:
    """A flow at this rate and a ping of 1 kHz for so long; new keys all the while if `every`."""
    listener = pair.b.spawn("iperf3", "-s", "-1", "-p", str(LOAD_PORT), "--forceflush")
    listener.wait_for(r"Server listening")
    client = pair.a.spawn("iperf3", "-c", INNER[1], "-p", str(LOAD_PORT), "-t", f"{seconds:g}",
                          "-J", "-b", f"{megabits:.0f}M", name="load", separate_stdout=True)
    pings = start_ping(pair.a, INNER[1], interval=PING_INTERVAL)
    before = pair.undecryptable()
    outcome = Outcome()
    until = time.time() + seconds
    if every:
        change_keys(pair, until, every, outcome)
    time.sleep(max(0.0, until - time.time()))
    seen = pings.finish()
    client.wait(30)
    listener.stop()
    flow = parse_iperf(client.output())
    # The last pings may have been under way when it ended.
    lost = [n for n in seen.missing if n <= seen.sent - 10]
    outcome.pings, outcome.lost, outcome.longest = seen.sent, len(lost), seen.longest_outage
    outcome.retransmits, outcome.megabits = flow.retransmits, flow.bits_per_second / 1e6
    outcome.undecryptable = pair.undecryptable() - before
    outcome.drops = pair.drops()
    return outcome


def capacity(pair: Pair, seconds: float) -> float:
    """In Mbit/s, with one TCP stream."""
    return iperf3(pair.a, pair.b, INNER[1], seconds=seconds).bits_per_second / 1e6


def describe(name: str, outcome: Outcome) -> str:
    text = (f"{name}: {outcome.megabits:.0f} Mbit/s, {outcome.retransmits} retransmits; "
            f"{outcome.pings} pings, {outcome.lost} lost (longest gap {outcome.longest}); "
            f"undecryptable {outcome.undecryptable}")
    if outcome.changes:
        median = sorted(outcome.takeovers)[len(outcome.takeovers) // 2:][:1]
        text += (f"; {outcome.changes} new keys, {len(outcome.takeovers)} sessions under them"
                 + (f", after {median[0] * 1000:.0f} ms in the middle, "
                    f"{max(outcome.takeovers) * 1000:.0f} ms at most" if median else ""))
    return text + f"; all drops: {outcome.drops or 'none'}"


def verdict(with_keys: Outcome, control: Outcome) -> bool:
    return (with_keys.lost <= control.lost and with_keys.undecryptable == 0
            and with_keys.retransmits
            <= RETRANSMITS_ALIKE * control.retransmits + RETRANSMITS_MORE
            and len(with_keys.takeovers) >= SHARE_OF_SESSIONS * with_keys.changes > 0)


def bench(product, folder: Path, options) -> bool:
    outcomes = []
    whole = 0.0
    for every in (None, options.every):
        with Lab(folder / f"{product.name}.{'keys' if every else 'control'}") as lab:
            pair = Pair(lab, product)
            ping(pair.a, INNER[1], count=3)
            whole = whole or capacity(pair, options.capacity_seconds)
            outcomes.append(load(pair, whole / 2, options.minutes * 60, every))
        print(describe(f"trellis with {product.name}, "
                       f"{'new keys' if every else 'control'}, capacity {whole:.0f} Mbit/s",
                       outcomes[-1]), flush=True)
    kept = verdict(outcomes[1], outcomes[0])
    print(f"trellis with {product.name}: "
          + ("nothing lost beyond the control" if kept else "LOSES MORE THAN THE CONTROL"))
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/takeover/run.py")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=5, help="seconds between new keys")
    parser.add_argument("--peers", default="trellis,wireguard-go-2026",
                        type=lambda text: text.split(","))
    parser.add_argument("--capacity-seconds", type=float, default=5)
    options = parser.parse_args()
    reason = namespaces_reason() or tun_reason()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    sweep()
    status = 0
    with tempfile.TemporaryDirectory(prefix="trellis-bench-") as folder:
        for name in options.peers:
            try:
                product = PRODUCTS[name]()
            except (peers.Unavailable, MissingProgram) as missing:
                print(f"skipped {name}: {missing}", flush=True)
                continue
            if not bench(product, Path(folder), options) and name == "trellis":
                status = 1  # with others the figure is told only
    return status


if __name__ == "__main__":
    sys.exit(main())
