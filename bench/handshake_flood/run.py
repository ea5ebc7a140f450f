"""What a flood of handshakes from strangers takes from an established tunnel.

Usage: run.py [--rounds 5] [--seconds 4]

See README.md. The same flood goes to the tunnel's port, and to one where a socket reads and drops.
"""

import argparse
import base64
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "tests" / "interop"),
                str(ROOT / "bench" / "dataplane")]

from labkit import Lab, classify, find_program, iperf3, ping, sweep, uapi  # noqa: E402
from labkit.fixtures import namespaces_reason, tun_reason  # noqa: E402
from labkit.wireguard import endpoint, key_pair, trellis_wg  # noqa: E402
from tunnels import INNER, PORTS  # noqa: E402

DRAIN_PORT = 9999
STRANGERS = "10.66.0.0/16"
WARM_UP = 1.0  # of the flood, before anything is measured
GATE = 0.9


class Scene:
    """`a` and `b` with a tunnel; a stranger with a link of its own to `b`, who sends at `rate`."""

    def __init__(self, lab: Lab, rate: float):
        self.rate = rate
        program = find_program("trellis-wg")
        self.a, self.b, self.stranger = (lab.host(name) for name in ("a", "b", "stranger"))
        link = lab.link(self.a, self.b, offload=True)
        self.devices = [trellis_wg(host, program) for host in (self.a, self.b)]
        self.keys = [key_pair(), key_pair()]
        for device, own, port, inner in zip(self.devices, self.keys, PORTS, INNER):
            device.identify(own, port)
            device.bring_up(f"{inner}/24")
        for i, device in enumerate(self.devices):
            device.add_peer(self.keys[1 - i].public, allowed=(f"{INNER[1 - i]}/32",),
                            endpoint=endpoint(link.end((self.a, self.b)[1 - i]).v4,
                                              PORTS[1 - i]))
        self.attack = lab.link(self.stranger, self.b)
        end = self.attack.end(self.b)
        # Answers to the strangers go back to where they came from, and end there.
        self.b.ip("route", "add", STRANGERS, "via", self.attack.end(self.stranger).v4)
        self.stranger.ip("route", "add", "blackhole", STRANGERS)
        for host in (self.b, self.stranger):
            host.sysctl("net.ipv4.conf.all.rp_filter=0")
        self.target = end.v4
        self.flooder = str(find_program("trellis_bench_flood"))

    def flood(self, port: int, seconds: float):
        key = base64.b64decode(self.keys[1].public).hex()
        process = self.stranger.spawn(self.flooder, "send", self.target, str(port), key,
                                      f"{seconds:g}", f"{self.rate:g}", name="flood")
        process.wait_for("ready")
        return process

    def throughput(self, port: int | None, seconds: float) -> tuple[float, float]:
        """Mbit/s through the tunnel, and what the strangers sent meanwhile, in packets/s."""
        drain = None
        if port == DRAIN_PORT:
            drain = self.b.spawn("sh", "-c", f"sleep {seconds + 30} | {self.flooder} drain {port}",
                                 name="drain")
            drain.wait_for("ready")
        whole = seconds + WARM_UP + 1
        flood = self.flood(port, whole) if port else None
        time.sleep(WARM_UP)
        result = iperf3(self.a, self.b, INNER[1], seconds=seconds)
        rate = 0.0
        if flood:
            flood.wait(whole + 10)
            rate = int(flood.output().split()[-1]) / whole
        if drain:
            drain.stop()
        return result.bits_per_second / 1e6, rate

    def resident_kib(self) -> int:
        text = Path(f"/proc/{self.devices[1].process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if "VmRSS" in line)


def answers(capture, victim: str) -> Counter:
    """What the strangers were answered, by kind."""
    capture.stop()
    return Counter(classify(datagram.payload) for datagram in capture.datagrams()
                   if datagram.src == victim)


def bench(lab: Lab, options) -> bool:
    scene = Scene(lab, options.rate)
    ping(scene.a, INNER[1], count=3)
    capture = lab.capture(scene.b, scene.attack, f"udp and src host {scene.target}")
    memory = [scene.resident_kib()]
    rates: dict[str, list[float]] = {"no flood": [], "read and dropped": [], "at the tunnel": []}
    ports = {"no flood": None, "read and dropped": DRAIN_PORT, "at the tunnel": PORTS[1]}
    for number in range(options.rounds):
        for name in (list(ports) if number % 2 else list(ports)[::-1]):
            megabits, packets = scene.throughput(ports[name], options.seconds)
            rates[name].append(megabits)
            memory.append(scene.resident_kib())
            print(f"round {number + 1}, flood {name}: {megabits:.0f} Mbit/s, "
                  f"{packets / 1000:.0f} kpackets/s of strangers", flush=True)
    told = answers(capture, scene.target)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    # Of neighbours in time: what else the machine does changes more than the flood does.
    ratio = statistics.median(at / beside for at, beside in
                              zip(rates["at the tunnel"], rates["read and dropped"]))
    print("medians, Mbit/s: " + ", ".join(f"{n} {m:.0f}" for n, m in medians.items()))
    print(f"under the flood the tunnel keeps {ratio:.2f} of what it has beside a reader, in the "
          f"middle of the rounds ({GATE})")
    print(f"answers to strangers: {dict(told) or 'none'}")
    print(f"memory: {memory[0]} KiB before, {max(memory)} KiB at most, {memory[-1]} KiB at the end")
    print(f"dropped: {uapi.counters(scene.devices[1])}")
    silent = set(told) <= {"wireguard-cookie"}
    flat = max(memory) <= memory[0] + 4096
    return ratio >= GATE and silent and flat


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/handshake_flood/run.py")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--rate", type=float, default=150_000, help="packets a second of the flood")
    options = parser.parse_args()
    reason = namespaces_reason() or tun_reason()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    sweep()
    with tempfile.TemporaryDirectory(prefix="trellis-bench-") as folder, Lab(Path(folder)) as lab:
        kept = bench(lab, options)
    print("the tunnel holds" if kept else "THE TUNNEL DOES NOT HOLD")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
