"""Pings and throughput, parsed."""

import json
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from .namespace import Host
from .process import Process, wait_until

FIRST_ANSWER = Path(__file__).with_name("first_answer.py")


@dataclass(frozen=True)
class Ping:
    """What a run of ping saw. `rtts`: by sequence number, in milliseconds, first answers only."""

    sent: int
    rtts: dict[int, float]
    duplicates: int = 0
    times: dict[int, float] = field(default_factory=dict)  # when each answer came, since 1970

    @property
    def received(self) -> int:
        return len(self.rtts)

    @property
    def lost(self) -> int:
        return self.sent - self.received

    @property
    def missing(self) -> list[int]:
        """Sequence numbers (from 1) without an answer."""
        return [n for n in range(1, self.sent + 1) if n not in self.rtts]

    @property
    def longest_outage(self) -> int:
        """The longest run of packets without an answer."""
        longest = current = 0
        for number in range(1, self.sent + 1):
            current = 0 if number in self.rtts else current + 1
            longest = max(longest, current)
        return longest


ANSWER = re.compile(r"^\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=(\d+) .*time=([\d.]+) ms(.*)$",
                    re.M)
SUMMARY = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.M)
SEQUENCES = 1 << 16


def parse_ping(output: str) -> Ping:
    summary = SUMMARY.search(output)
    if not summary:
        raise AssertionError(f"no summary of ping in:\n{output[-2000:]}")
    rtts: dict[int, float] = {}
    times: dict[int, float] = {}
    duplicates = 0
    previous = 0
    for when, number, rtt, rest in ANSWER.findall(output):
        # The number on the wire has 16 bits: take the one nearest to the answer before.
        sequence = int(number) + (previous - int(number) + SEQUENCES // 2) // SEQUENCES * SEQUENCES
        if sequence < 1:
            sequence += SEQUENCES
        previous = max(previous, sequence)
        if "DUP" in rest or sequence in rtts:
            duplicates += 1
        else:
            rtts[sequence], times[sequence] = float(rtt), float(when)
    return Ping(int(summary[1]), rtts, duplicates, times)


def _ping_command(address: str, interval: float, options: list[str]) -> list[str]:
    return ["ping", "-n", "-D", "-i", f"{interval:g}", *options, address]


def ping(host: Host, address: str, *, count: int = 3, interval: float = 0.1, wait: float = 1,
         size: int = 56, source: str | None = None) -> Ping:
    """Sends `count` pings and waits `wait` seconds for the last answer. Loss is no error."""
    options = ["-c", str(count), "-W", f"{wait:g}", "-s", str(size)]
    if source:
        options += ["-I", source]
    result = host.run(*_ping_command(address, interval, options),
                      timeout=count * interval + 10 * wait + 10, check=False)
    if result.returncode > 1 and not SUMMARY.search(result.stdout):
        raise AssertionError(f"ping {address}: {result.stdout}{result.stderr}")
    return parse_ping(result.stdout)


class RunningPing:
    """A ping in the background; `finish()` stops it and tells what it saw."""

    def __init__(self, process: Process):
        self.process = process

    def so_far(self) -> int:
        """Answers until now."""
        return len(ANSWER.findall(self.process.output()))

    def finish(self) -> Ping:
        self.process.signal(signal.SIGINT)
        self.process.wait(5)
        return parse_ping(self.process.output())


def start_ping(host: Host, address: str, *, interval: float = 0.01, size: int = 56) -> RunningPing:
    """Pings until told to stop. The last packet may still be under way then: see `Ping.missing`."""
    return RunningPing(host.spawn(*_ping_command(address, interval, ["-s", str(size)]),
                                  name="ping", separate_stdout=True))


def answers_within(host: Host, address: str, timeout: float, *, interval: float = 0.02) -> float:
    """Pings until the first answer; returns the seconds that took. Fails after `timeout`."""
    deadline = time.monotonic() + timeout
    started = time.monotonic()
    while time.monotonic() < deadline:
        argv = _ping_command(address, interval, ["-c", "1", "-W", "0.2"])
        if host.run(*argv, check=False).returncode == 0:
            return time.monotonic() - started
    raise AssertionError(f"{host.name}: {address} did not answer within {timeout} s")


class Watch:
    """Pings in the background, also while there is no way: when does an address answer (again)?"""

    def __init__(self, host: Host, address: str, interval: float = 0.005):
        self.process = host.spawn(sys.executable, "-I", str(FIRST_ANSWER), address,
                                  f"{interval:g}", name="watch", separate_stdout=True)
        self.process.wait_for("pinging")

    def answers(self) -> list[tuple[float, float]]:
        """(sent, answered) of each answered ping so far, by time.monotonic()."""
        pairs = [line.split() for line in self.process.output().splitlines()[1:]]
        return [(float(pair[0]), float(pair[1])) for pair in pairs if len(pair) == 2]

    def first_after(self, moment: float, timeout: float) -> float:
        """When the first ping that was sent after `moment` was answered."""
        def answered() -> float | None:
            return next((answer for sent, answer in self.answers() if sent >= moment), None)

        return wait_until(answered, timeout, f"an answer to {self.process.argv[-2]}")

    def stop(self) -> None:
        self.process.stop()


@dataclass(frozen=True)
class Iperf:
    """A throughput measurement. `raw` is all that iperf3 tells."""

    bits_per_second: float  # at the receiver
    retransmits: int  # TCP only
    cpu_sender: float  # percent of a core, of iperf3 itself
    lost_share: float  # UDP only
    raw: dict


def parse_iperf(output: str) -> Iperf:
    raw = json.loads(output)
    if "error" in raw:
        raise AssertionError(f"iperf3: {raw['error']}")
    end = raw["end"]
    received = end.get("sum_received") or end["sum"]
    sent = end.get("sum_sent") or end["sum"]
    return Iperf(received["bits_per_second"], sent.get("retransmits", 0),
                 end.get("cpu_utilization_percent", {}).get("host_total", 0.0),
                 end.get("sum", {}).get("lost_percent", 0.0) / 100, raw)


def iperf3(client: Host, server: Host, address: str, *, seconds: float = 3, port: int = 5201,
           options: tuple[str, ...] = ()) -> Iperf:
    """Measures from `client` to `server` at `address`. `options`: -R, -P 4, -u -b 100M ..."""
    listener = server.spawn("iperf3", "-s", "-1", "-p", str(port), "--forceflush")
    listener.wait_for(r"Server listening")
    try:
        result = client.run("iperf3", "-c", address, "-p", str(port), "-t", f"{seconds:g}", "-J",
                            *options, timeout=seconds + 30, check=False)
        return parse_iperf(result.stdout)
    finally:
        listener.stop()
