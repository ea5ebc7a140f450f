"""Commands and long-running programs, in a network namespace or not."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class CommandFailed(AssertionError):
    """A command exited with a status other than zero; the message holds what it printed."""


class TimedOut(AssertionError):
    """Something did not happen before its deadline."""


def run(argv: Sequence[str], *, timeout: float = 30, check: bool = True,
        input: str | None = None, env: dict[str, str] | None = None
        ) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end. `env` is added to the environment."""
    try:
        result = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, input=input,
                                env={**os.environ, **(env or {})},
                                stdin=subprocess.DEVNULL if input is None else None)
    except subprocess.TimeoutExpired as expired:
        raise TimedOut(f"{' '.join(argv)}: still running after {timeout} s\n"
                       f"{expired.stdout or ''}{expired.stderr or ''}") from None
    if check and result.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)}: exit status {result.returncode}\n"
                            f"{result.stdout}{result.stderr}")
    return result


def wait_until(condition: Callable[[], object], timeout: float, what: str = "condition",
               every: float = 0.02) -> object:
    """Polls until `condition` is true and returns its value; TimedOut if that takes too long."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimedOut(f"{what}: not within {timeout} s")
        time.sleep(every)


class Process:
    """A program that runs until it is stopped. Its output goes to `log` (and stays there).

    It leads a session of its own, so that stopping it also reaches what it started, and Ctrl-C at
    the terminal reaches only the test, which then stops it.
    """

    def __init__(self, argv: Sequence[str], log: Path, *, env: dict[str, str] | None = None,
                 stdout: Path | None = None):
        self.argv = [str(a) for a in argv]
        self.log = log
        self.stdout = stdout or log
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as err, open(self.stdout, "ab") as out:
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=err, start_new_session=True,
                                          env={**os.environ, **(env or {})})

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    @property
    def status(self) -> int | None:
        return self.popen.poll()

    def text(self) -> str:
        """All that was logged so far."""
        return self.log.read_text(errors="replace")

    def output(self) -> str:
        """All that was printed to stdout so far (the log, unless it was asked for apart)."""
        return self.stdout.read_text(errors="replace")

    def wait_for(self, what: str | Callable[[], object], timeout: float = 10) -> object:
        """Waits for a regular expression in the output or the log, or for a predicate.

        Fails at once, with the end of the log, when the program ends first.
        """
        name = what if isinstance(what, str) else getattr(what, "__name__", "predicate")

        def holds() -> object:
            if isinstance(what, str):
                return re.search(what, self.output()) or re.search(what, self.text())
            return what()

        deadline = time.monotonic() + timeout
        while True:
            ended = not self.running  # asked first, or the last words would be missed
            value = holds()
            if value:
                return value
            if ended:
                raise CommandFailed(f"{' '.join(self.argv)}: ended with {self.status} before "
                                    f"{name!r}\n{self._tail()}")
            if time.monotonic() > deadline:
                raise TimedOut(f"{' '.join(self.argv)}: no {name!r} within {timeout} s\n"
                               f"{self._tail()}")
            time.sleep(0.02)

    def wait(self, timeout: float = 10) -> int:
        """Waits for the program to end by itself; returns its exit status."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"{' '.join(self.argv)}: still running after {timeout} s\n"
                           f"{self._tail()}") from None

    def signal(self, number: int) -> None:
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, as a crash would end it."""
        self._signal_group(signal.SIGKILL)
        self.popen.wait(5)

    def stop(self, grace: float = 5) -> int:
        """SIGTERM, and SIGKILL after `grace` seconds. Returns the exit status."""
        if self.running:
            self.signal(signal.SIGTERM)
            try:
                self.popen.wait(grace)
            except subprocess.TimeoutExpired:
                pass
        self._signal_group(signal.SIGKILL)
        return self.popen.wait(5)

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)  # the group outlives its leader while it has members
        except ProcessLookupError:
            pass

    def _tail(self, characters: int = 4000) -> str:
        text = self.text()
        if self.stdout != self.log:
            text = self.output() + text
        return text[-characters:]
