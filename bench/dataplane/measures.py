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
HEADERS = 28
LIGHT_PACKETS_PER_SECOND = 20_000
PING_SECONDS = 2


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
    Measure("flood of 64 bytes", "kpackets/s", "more"),
    Measure("64 bytes at 20 kpps", "us of cpu/packet", "less"),
    Measure("ping", "us", "less"),
    Measure("ping under load", "us", "less"),
    Measure("memory", "MiB", "less"),
)


class SmallPackets:
    """A receiver on `b`; every load tells how many packets arrived."""

    def __init__(self, tunnel: Tunnel):
        self.tunnel = tunnel
        self.program = str(find_program("trellis_bench_udp_load"))

    def run(self, rate: float, seconds: float) -> tuple[int, int, float]:
        """Packets sent and received, and CPU seconds of the tunnel meanwhile."""
        # The receiver counts and tells when its input ends.
        command = f"{self.program} receive {LOAD_PORT}"
        receiver = self.tunnel.b.spawn(
            "sh", "-c", f"(sleep {seconds + 1.5}; echo; sleep 0.3) | {command}", name="receiver")
        receiver.wait_for("ready")
        before = self.tunnel.cpu_seconds()
        result = self.tunnel.a.run(self.program, "send", self.tunnel.address, str(LOAD_PORT),
                                   str(SMALL_BYTES - HEADERS), str(rate), str(seconds),
                                   timeout=seconds + 10)
        receiver.wait(seconds + 10)
        used = self.tunnel.cpu_seconds() - before
        return int(result.stdout), int(receiver.output().split()[-1]), used


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
        _, received, _ = load.run(0, self.seconds)
        self.results["flood of 64 bytes"] = received / self.seconds / 1000
