#!/usr/bin/env python3
"""What peers cost that are known and idle: memory, and the time from the start to the first answer.

Starts `trellis-rosenpass` and `trellisd --static` with 1 and with many peers, each twice, in a network namespace of
its own; one peer begins an exchange and is answered, the others are silent. Needs root.

Usage: idle_peers.py [--build DIR] [--folder DIR] [--only rosenpass,trellisd] [--peers 1000]
"""

import argparse
import base64
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY_BYTES = 524160
ADDRESS = "127.0.0.1:51820"
IDLE_KIB_MAX = 32.0  # for each peer
ANSWER_SECONDS_MAX = 0.3  # from the second start on
PATIENCE = 120


@dataclass
class Measured:
    answer: float  # seconds
    work: float  # of a processor until then
    resident: int  # KiB
    locked: int


class Program:
    """One of ours, with many peers of which the first has a secret key that we have, too."""

    name = ""

    def __init__(self, build: Path, folder: Path, keys: Path):
        self.build, self.folder, self.keys = build, folder / self.name, keys
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")}

    def own_public(self) -> Path:
        raise NotImplementedError

    def words(self, count: int) -> list:
        raise NotImplementedError

    def forget(self) -> None:
        """What an earlier start has kept."""
        subprocess.run(["rm", "-rf", str(self.folder / "cache")], check=True)

    def measure(self, count: int) -> Measured:
        words = [str(word) for word in self.words(count)]
        with open(self.folder / "log", "wb") as log:
            began = time.monotonic()
            process = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        try:
            self.wait_for_namespace(process)
            self.ask(process)
            answered, work = time.monotonic() - began, cpu_of(process.pid)
            self.wait_idle(process.pid)
            fields = status_of(process.pid)
            return Measured(answered, work, fields["VmRSS"], fields["VmLck"])
        finally:
            process.terminate()
            process.wait(20)

    def wait_for_namespace(self, process: subprocess.Popen) -> None:
        own = os.readlink("/proc/self/ns/net")
        while process.poll() is None and os.readlink(f"/proc/{process.pid}/ns/net") == own:
            time.sleep(0.001)
        self.check_alive(process)

    def check_alive(self, process: subprocess.Popen) -> None:
        if process.poll() is not None:
            raise SystemExit(f"{self.name} ended: {(self.folder / 'log').read_text()[-2000:]}")

    def ask(self, process: subprocess.Popen) -> None:
        load = self.build / "bin" / "trellis_bench_rosenpass"
        asking = subprocess.Popen(["nsenter", f"--net=/proc/{process.pid}/ns/net", load, "until", self.keys,
                                   self.own_public(), ADDRESS, str(PATIENCE)], stdout=subprocess.DEVNULL)
        try:
            while asking.poll() is None:
                self.check_alive(process)
                time.sleep(0.001)
        finally:
            asking.kill()
            asking.wait()
        if asking.returncode != 0:
            raise SystemExit(f"{self.name} does not answer")

    def wait_idle(self, pid: int) -> None:
        before = cpu_of(pid)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(1)
            now = cpu_of(pid)
            if now - before <= 0.02:
                return
            before = now
        raise SystemExit(f"{self.name} is still busy")


class TrellisRosenpass(Program):
    name = "trellis-rosenpass"

    def own_public(self) -> Path:
        public, secret = self.folder / "own.pk", self.folder / "own.sk"
        if not secret.exists():
            subprocess.run([self.build / "bin" / self.name, "gen-keys", "-f", "-p", public, "-s", secret], check=True,
                           capture_output=True)
        return public

    def words(self, count):
        lines = [f'public_key = "{self.own_public()}"', f'secret_key = "{self.folder}/own.sk"',
                 f'listen = ["{ADDRESS}"]']
        for number in range(count):
            lines += ["[[peers]]", f'public_key = "{self.keys}/{number:04}.pk"',
                      f'key_out = "{self.folder}/{number:04}.osk"']
        config = self.folder / "config.toml"
        config.write_text("\n".join(lines) + "\n")
        return [self.build / "bin" / self.name, "exchange-config", config]


class Trellisd(Program):
    name = "trellisd"

    def own_public(self) -> Path:
        public = self.folder / "state" / "rosenpass.pub"
        if not public.exists():
            subprocess.run([self.build / "bin" / "trellis", "keys", "new", "--state", public.parent], check=True,
                           capture_output=True)
        return public

    def words(self, count):
        self.own_public()
        lines = ["[host]", 'name = "here"', 'addresses = ["100.71.0.1/16"]']
        for number in range(count):
            wireguard = base64.b64encode(bytes([9]) + number.to_bytes(30, "little") + bytes([1])).decode()
            lines += ["[[peer]]", f'name = "peer{number}"', f'wireguard_key = "{wireguard}"',
                      f'rosenpass_key = "{self.keys}/{number:04}.pk"',
                      f'addresses = ["100.71.{1 + number // 250}.{1 + number % 250}"]']
        peers = self.folder / "peers.toml"
        peers.write_text("\n".join(lines) + "\n")
        return [self.build / "bin" / self.name, "--static", peers, "--state", self.folder / "state",
                "--socket", self.folder / "control", "--foreground"]

    def forget(self) -> None:
        super().forget()
        for name in ("key-digests", "state.json"):
            (self.folder / "state" / name).unlink(missing_ok=True)


def status_of(pid: int) -> dict[str, int]:
    fields = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith("kB"):
            fields[name] = int(value.split()[0])
    return fields


def cpu_of(pid: int) -> float:
    """Seconds that its threads have used."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) * 1e-9


def make_keys(build: Path, folder: Path, count: int) -> None:
    """One real pair, and files of the size of a key with holes in them for those who are silent."""
    load = build / "bin" / "trellis_bench_rosenpass"
    subprocess.run([load, "keys", folder, "1"], check=True, capture_output=True)
    for number in range(1, count):
        path = folder / f"{number:04}.pk"
        if path.exists():
            continue
        with open(path, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(b"silent" + number.to_bytes(4, "little"))
            file.truncate(KEY_BYTES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/trellis-bench-idle-peers"))
    parser.add_argument("--only", default="rosenpass,trellisd")
    parser.add_argument("--peers", type=int, default=1000)
    arguments = parser.parse_args()
    keys = arguments.folder / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    make_keys(arguments.build, keys, arguments.peers)
    missed = []
    print("| program | peers | start | s to an answer | of that CPU | resident KiB | of that locked |\n|---|---|---|---|---|---|---|")
    for kind in (TrellisRosenpass, Trellisd):
        if kind.name.removeprefix("trellis-") not in arguments.only.split(","):
            continue
        program = kind(arguments.build.resolve(), arguments.folder, keys)
        resident = {}
        for count in (1, arguments.peers):
            program.forget()
            for start in ("first", "second"):
                measured = program.measure(count)
                resident[count] = measured.resident
                print(f"| {program.name} | {count} | {start} | {measured.answer:.3f} | {measured.work:.3f} | {measured.resident} | "
                      f"{measured.locked} |", flush=True)
        each = (resident[arguments.peers] - resident[1]) / max(arguments.peers - 1, 1)
        print(f"{program.name}: {each:.1f} KiB for each idle peer")
        if each > IDLE_KIB_MAX:
            missed.append(f"{program.name}: {each:.1f} KiB > {IDLE_KIB_MAX} KiB")
        if measured.answer > ANSWER_SECONDS_MAX:
            missed.append(f"{program.name}: {measured.answer:.3f} s > {ANSWER_SECONDS_MAX} s")
    for text in missed:
        print("missed:", text)
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
