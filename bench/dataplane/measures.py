"""What is measured of a tunnel, each a number."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit import Iperf, find_program, iperf3, ping, start_ping
from tunnels import Tunnel

LOAD_PORT = 5300
SMALL_BYTES = 64  # of a whole inner IPv4 packet
LARGER_BYTES = (512, 1372)
HEADERS = 28
LIGHT_PACKETS_PER_SECOND = 20_000
PING_SECONDS = 2
# The search for the highest rate with next to no loss.
LOSS_MAX = 0.01
TRIALS = 7
TRIAL_SECONDS = 0.8
SETTLE_SECONDS = 0.4  # until the last packets are through, and told


@dataclass(frozen=True)
class Measure:
    name: str
    unit: str
    better: str  # "more" or "less"


MEASURES = (
    Measure("tcp", "Gbit/s", "more"),
    Measure("tcp reversed", "Gbit/s", "more"),
    Measure("tcp 4 streams", "Gbit/s", "more"),
    Measure("cpu of tcp", "s/GB", "less"),
    Measure("cpu of tcp 4 streams", "s/GB", "less"),
    Measure("64 bytes, 1 % lost", "kpackets/s", "more"),
    Measure("flood of 64 bytes", "kpackets/s", "more"),
    Measure("flood of 512 bytes", "kpackets/s", "more"),
    Measure("flood of 1372 bytes", "kpackets/s", "more"),
    Measure("64 bytes at 20 kpps", "us of cpu/packet", "less"),
    Measure("ping", "us", "less"),
    Measure("ping under load", "us", "less"),
    Measure("memory", "MiB", "less"),
)


class SmallPackets:
    """UDP from `a` to a receiver on `b`, which goes on until the host ends."""

    def __init__(self, tunnel: Tunnel):
        self.tunnel = tunnel
        self.program = str(find_program("trellis_bench_udp_load"))
        self.receiver = tunnel.b.spawn(self.program, "receive", str(LOAD_PORT), name="receiver")
        self.receiver.wait_for("ready")

    def run(self, rate: float, seconds: float, size: int = SMALL_BYTES
            ) -> tuple[int, int, float]:
        """Packets sent and received, and CPU seconds of the tunnel meanwhile. Rate 0: a flood."""
        before = self._received()
        cpu_before = self.tunnel.cpu_seconds()
        result = self.tunnel.a.run(self.program, "send", self.tunnel.address, str(LOAD_PORT),
                                   str(size - HEADERS), str(rate), str(seconds),
                                   timeout=seconds + 10)
        time.sleep(SETTLE_SECONDS)
        used = self.tunnel.cpu_seconds() - cpu_before
        return int(result.stdout), self._received() - before, used

    def highest_rate(self, size: int) -> float:
        """Packets a second of which at most LOSS_MAX are lost: by halving, from a flood's rate."""
        sent, _, _ = self.run(0, TRIAL_SECONDS, size)
        low, high = 0.0, sent / TRIAL_SECONDS
        for _ in range(TRIALS):
            rate = (low + high) / 2
            sent, received, _ = self.run(rate, TRIAL_SECONDS, size)
            if received >= sent * (1 - LOSS_MAX):
                low = received / TRIAL_SECONDS  # the sender may not reach what it was asked for
            else:
                high = rate
        return low

    def _received(self) -> int:
        numbers = [line for line in self.receiver.output().split() if line.isdigit()]
        return int(numbers[-1]) if numbers else 0


class Round:
    """All measures of one tunnel. `results`: by the name of the measure."""

    def __init__(self, tunnel: Tunnel, seconds: float):
        self.tunnel = tunnel
        self.seconds = seconds
        self.results: dict[str, float] = {}

    def run(self) -> dict[str, float]:
        ping(self.tunnel.a, self.tunnel.address, count=3)
        self._ping_idle()
        self._tcp("tcp", "cpu of tcp")
        self._tcp("tcp reversed", None, "-R")
        self._loaded()
        self._small_packets()
        if self.tunnel.devices:
            self.results["memory"] = self.tunnel.resident_bytes() / (1 << 20)
        return self.results

    def _iperf(self, *options: str) -> tuple[Iperf, float]:
        before = self.tunnel.cpu_seconds()
        result = iperf3(self.tunnel.a, self.tunnel.b, self.tunnel.address, seconds=self.seconds,
                        options=options)
        return result, self.tunnel.cpu_seconds() - before

    def _tcp(self, name: str, cpu_name: str | None, *options: str) -> None:
        result, used = self._iperf(*options)
        self.results[name] = result.bits_per_second / 1e9
        if cpu_name and self.tunnel.devices:
            gigabytes = result.bits_per_second * self.seconds / 8e9
            self.results[cpu_name] = used / gigabytes

    def _ping_idle(self) -> None:
        answers = ping(self.tunnel.a, self.tunnel.address, count=PING_SECONDS * 50, interval=0.02)
        self.results["ping"] = statistics.median(answers.rtts.values()) * 1000

    def _loaded(self) -> None:
        running = start_ping(self.tunnel.a, self.tunnel.address, interval=0.02)
        self._tcp("tcp 4 streams", "cpu of tcp 4 streams", "-P", "4")
        self.results["ping under load"] = (
            statistics.median(running.finish().rtts.values()) * 1000)

    def _small_packets(self) -> None:
        load = SmallPackets(self.tunnel)
        _, received, used = load.run(LIGHT_PACKETS_PER_SECOND, self.seconds)
        if self.tunnel.devices and received:
            self.results["64 bytes at 20 kpps"] = used / received * 1e6
        self.results["64 bytes, 1 % lost"] = load.highest_rate(SMALL_BYTES) / 1000
        for size in (SMALL_BYTES, *LARGER_BYTES):
            _, received, _ = load.run(0, self.seconds, size)
            self.results[f"flood of {size} bytes"] = received / self.seconds / 1000
