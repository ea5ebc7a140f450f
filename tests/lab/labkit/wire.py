"""A cable between two hosts whose faults a test controls."""

import json
import select
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from .forwarder import Impairment
from .namespace import Host
from .process import TimedOut

FORWARDER = Path(__file__).with_name("forwarder.py")


class Wire:
    """Runs the forwarder between two interfaces of a namespace and tells it what to do.

    `a` is the host given first to `Lab.link`. Faults are set for both directions, or for what one
    host sends (`sent_by=`). Each call sets the whole of it: `wire.set()` is a perfect cable.
    """

    def __init__(self, middle: Host, interfaces: tuple[str, str], ends: tuple[Host, Host],
                 seed: int = 1):
        self._ends = ends
        log = open(middle.directory / f"{middle.name}.forwarder.log", "wb")
        with log:
            self._process = subprocess.Popen(
                middle.wrap([sys.executable, "-I", str(FORWARDER), *interfaces, str(seed)]),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        self._read()

    def set(self, impairment: Impairment | None = None, *, sent_by: Host | None = None,
            **faults) -> None:
        """Replaces the faults: `wire.set(loss=0.1, delay=20)`, `wire.set(drop=["rosenpass"])`."""
        rules = replace(impairment or Impairment(), **faults)
        direction = None if sent_by is None else ("ab" if sent_by is self._ends[0] else "ba")
        self._ask({"set": asdict(rules), "direction": direction})

    def cut(self) -> None:
        """Nothing passes, but the link stays up."""
        self.set(drop=["all"])

    def counters(self, sent_by: Host) -> dict[str, int]:
        """What became of the frames that `sent_by` sent, by name: see `Direction.counters`."""
        return self._ask({"counters": True})["ab" if sent_by is self._ends[0] else "ba"]

    def drain(self) -> None:
        """Waits until all that was sent so far has passed or is lost."""
        self._ask({"drain": True})

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(3)
        self._process.stdout.close()

    def _ask(self, request: dict) -> dict:
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self, timeout: float = 10) -> dict:
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        if not ready:
            raise TimedOut("the forwarder does not answer")
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the forwarder ended with {self._process.wait(3)}")
        return json.loads(line)
