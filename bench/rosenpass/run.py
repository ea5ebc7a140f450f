#!/usr/bin/env python3
"""Rosenpass beside Rust rosenpass and go-rosenpass, in one run: see README.md.

Usage: run.py [--build DIR] [--folder DIR] [--only ours,rust,go] [--peers 1000] [--seconds 10]
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "interop"), str(ROOT / "tests" / "lab")]
import peers  # noqa: E402

INITIATORS = (1, 16, 64)
RESPONDERS = 32
KNOWN = (1, 100, 1000)
ALONE_PER_SECOND = 193  # with one initiator, on a machine that does nothing else
NOISE_PER_SECOND = 200  # so few that all of it is looked at
NOISE_FOR_OURS = 20_000  # so many that waking up does not count


@dataclass
class Results:
    rows: dict = field(default_factory=dict)

    def note(self, who: str, what: str, value) -> None:
        self.rows.setdefault(what, {})[who] = value
        print(f"  {who}: {what}: {value}", flush=True)

    def gates(self) -> str:
        """What we compare ourselves by, where both were measured."""
        def value(who: str, what: str) -> float:
            try:
                return float(self.rows[what][who])
            except (KeyError, ValueError):
                return math.nan

        def exchange(who: str) -> float:
            return (value(who, "responder, 1 initiators: CPU ms each")
                    + value(who, f"initiator, {RESPONDERS} responders: CPU ms each"))

        lines = [f"an exchange, both roles: {exchange('ours'):.2f} ms, "
                 f"{exchange('ours') / exchange('rust'):.3f} of Rust's (at most 0.28), "
                 f"{exchange('ours') / exchange('go'):.3f} of Go's (at most 0.02)"]
        best = max(value("ours", f"responder, {n} initiators: a second") for n in INITIATORS)
        for count in INITIATORS:
            row = f"responder, {count} initiators"
            cpu = value("ours", f"{row}: CPU ms each") / value("rust", f"{row}: CPU ms each")
            rate = value("ours", f"{row}: a second")
            wanted = (f"at least {ALONE_PER_SECOND}" if count == 1
                      else f"{rate / best:.2f} of the best, at least 0.8")
            lines.append(f"{row}: {cpu:.3f} of Rust's CPU (at most 0.25), {rate:.0f} a second "
                         f"({wanted})")
        return "\n".join(lines)

    def table(self, names: list[str]) -> str:
        lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        for what, values in self.rows.items():
            cells = [str(values.get(name, "-")) for name in names]
            lines.append(f"| {what} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


class Running:
    """A program that is measured, from outside."""

    def __init__(self, argv: list, log: Path, env: dict[str, str] | None = None):
        self.started = time.monotonic()
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT,
                                            env={**os.environ, **(env or {})})

    def cpu(self) -> float:
        """Seconds that its threads have used."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) * 1e-9

    def resident(self) -> int:
        """Bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def wait_idle(self, timeout: float = 120) -> float:
        """Waits until it has used next to nothing for a second; returns what it used so far."""
        end = time.monotonic() + timeout
        before = self.cpu()
        while time.monotonic() < end:
            time.sleep(1)
            now = self.cpu()
            if now - before <= 0.02:
                return now
            before = now
        raise AssertionError(f"{self.log}: still busy")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def children_cpu() -> float:
    """Seconds that programs which have ended have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Contender:
    """A program that speaks Rosenpass, started with many peers."""

    def __init__(self, name: str, folder: Path, program: Path):
        self.name, self.folder, self.program = name, folder / name, program
        self.folder.mkdir(parents=True, exist_ok=True)

    def start(self, keys: Path, count: int, listen: str, endpoint: str | None = None) -> Running:
        raise NotImplementedError

    def own_keys(self) -> peers.Keys:
        return peers.Keys(self.folder / "own.pk", self.folder / "own.sk")

    def make_own_keys(self) -> None:
        raise NotImplementedError

    def key_pair_cpu(self) -> float:
        """Seconds of CPU that a key pair takes."""
        before = children_cpu()
        self.make_own_keys()
        return children_cpu() - before


class ByConfiguration(Contender):
    """Rust's program, or ours in its place."""

    options: tuple[str, ...] = ()

    def make_own_keys(self) -> None:
        own = self.own_keys()
        subprocess.run([self.program, "gen-keys", "-f", "-p", own.public, "-s", own.secret],
                       check=True, capture_output=True)
        own.secret.chmod(0o600)

    def start(self, keys, count, listen, endpoint=None):
        own = self.own_keys()
        lines = [f'public_key = "{own.public}"', f'secret_key = "{own.secret}"',
                 f'listen = ["{listen}"]', 'verbosity = "Quiet"']
        for number in range(count):
            lines += ["[[peers]]", f'public_key = "{keys}/{number:04}.pk"',
                      f'key_out = "{self.folder}/{number:04}.osk"']
            if endpoint:
                lines.append(f'endpoint = "{endpoint}"')
        config = self.folder / "config.toml"
        config.write_text("\n".join(lines) + "\n")
        return Running([self.program, *self.options, "exchange-config", config],
                       self.folder / "log", {"XDG_CACHE_HOME": str(self.folder / "cache")})


class Ours(ByConfiguration):
    # Without a bound for strangers: otherwise it is the bound that is measured.
    options = ("--max-load", "100000")


class Go(Contender):
    def make_own_keys(self) -> None:
        own = self.own_keys()
        subprocess.run([self.program, "gen-keys", own.public, own.secret], check=True)

    def start(self, keys, count, listen, endpoint=None):
        own = self.own_keys()
        words = ["exchange", "--own-secret", own.secret, "--own-public", own.public,
                 "--peer-public", keys / "0000.pk", "--listen", listen,
                 "--key-out", self.folder / "osk", "--more-peers", keys, "--peers", str(count)]
        if endpoint:
            words += ["--endpoint", endpoint]
        return Running([self.program, *words], self.folder / "log")


class Bench:
    def __init__(self, load: Path, keys: Path, seconds: float, results: Results):
        self.load, self.keys, self.seconds, self.results = load, keys, seconds, results

    def other_end(self, *words, timeout=300) -> dict:
        result = subprocess.run([str(self.load), *map(str, words)], capture_output=True, text=True,
                                timeout=timeout)
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        return json.loads(result.stdout)

    def responder(self, who: Contender) -> None:
        for count in INITIATORS:
            address = peers.free_endpoint()
            running = who.start(self.keys, count, address)
            try:
                before = running.wait_idle()
                done = self.other_end("initiate", self.keys, count, who.own_keys().public, address,
                                      self.seconds)
                used = running.cpu() - before
            finally:
                running.stop()
            each = f"{used / done['completed'] * 1e3:.2f}" if done["completed"] else "none"
            self.results.note(who.name, f"responder, {count} initiators: CPU ms each", each)
            self.results.note(who.name, f"responder, {count} initiators: a second",
                              f"{done['per_s']:.0f}")
            self.results.note(who.name, f"responder, {count} initiators: no answer in 5 s",
                              done["lost"])
            if count == 1 and done["completed"]:
                self.results.note(who.name, "bytes of UDP, both ways",
                                  round(done["bytes"] / done["completed"]))

    def initiator(self, who: Contender) -> None:
        address = peers.free_endpoint()
        waiting = who.start(self.keys, RESPONDERS, peers.free_endpoint())
        try:
            start_up = waiting.wait_idle()
        finally:
            waiting.stop()
        other = subprocess.Popen([str(self.load), "respond", str(self.keys), str(RESPONDERS),
                                  str(who.own_keys().public), address, "60"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        other.stderr.readline()  # "ready"
        running = who.start(self.keys, RESPONDERS, peers.free_endpoint(), endpoint=address)
        try:
            done = json.loads(other.communicate(timeout=90)[0])
            used = running.cpu() - start_up
        finally:
            running.stop()
        each = f"{used / done['completed'] * 1e3:.2f}" if done["completed"] else "none"
        self.results.note(who.name, f"initiator, {RESPONDERS} responders: CPU ms each", each)

    def memory_and_start(self, who: Contender, most: int) -> None:
        for count in (k for k in KNOWN if k <= most):
            for attempt in ("first", "second"):
                address = peers.free_endpoint()
                running = who.start(self.keys, count, address)
                try:
                    # One initiator that asks until there is an answer.
                    done = self.first_answer(who, address, running.started)
                    running.wait_idle()
                    resident = running.resident()
                finally:
                    running.stop()
                self.results.note(who.name, f"{count} peers, {attempt} start: s to an answer",
                                  f"{done:.2f}")
            self.results.note(who.name, f"{count} peers: resident MiB", f"{resident / 2**20:.1f}")

    def first_answer(self, who: Contender, address: str, started: float) -> float:
        self.other_end("until", self.keys, who.own_keys().public, address, 60)
        return time.monotonic() - started

    def noise(self, who: Contender) -> None:
        kinds = [("mac", "wrong mac", NOISE_PER_SECOND),
                 ("hello", "right mac over noise", NOISE_PER_SECOND)]
        if who.name == "ours":
            kinds.append(("mac", f"wrong mac, {NOISE_FOR_OURS} a second", NOISE_FOR_OURS))
        for kind, name, rate in kinds:
            address = peers.free_endpoint()
            running = who.start(self.keys, 1, address)
            try:
                before = running.wait_idle()
                sent = self.other_end("noise", who.own_keys().public, address, rate,
                                      self.seconds, kind)["sent"]
                used = running.cpu() - before
            finally:
                running.stop()
            self.results.note(who.name, f"{name}: CPU us a packet", f"{used / sent * 1e6:.1f}")


def contenders(only: list[str], build: Path, folder: Path) -> list[Contender]:
    made = []
    for name in only:
        if name == "ours":
            made.append(Ours(name, folder, build / "bin" / "trellis-rosenpass"))
        elif name == "rust":
            made.append(ByConfiguration(name, folder, peers.RustRosenpass().program))
        else:
            made.append(Go(name, folder, peers.GoRosenpass().program))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/trellis-bench-rosenpass"))
    parser.add_argument("--only", default="ours,rust,go")
    parser.add_argument("--peers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    load = arguments.build / "bin" / "trellis_bench_rosenpass"
    keys = arguments.folder / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    results = Results()
    bench = Bench(load, keys, arguments.seconds, results)
    print("keys:", bench.other_end("keys", keys, max(arguments.peers, *INITIATORS), timeout=600))
    print("our engine by itself:", bench.other_end("engine", 300))
    for who in contenders(names, arguments.build, arguments.folder):
        key_pair = min(who.key_pair_cpu() for _ in range(5))
        results.note(who.name, "key pair: CPU ms", f"{key_pair * 1e3:.0f}")
        bench.responder(who)
        bench.initiator(who)
        bench.noise(who)
        bench.memory_and_start(who, arguments.peers)
    print(results.table(names))
    print(results.gates())


if __name__ == "__main__":
    main()
