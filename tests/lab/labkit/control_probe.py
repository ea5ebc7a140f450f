"""Many agents as a server sees them (control_probe.cc), and an administrator who is in a hurry."""

import json
import socket
import subprocess
import threading
from collections import defaultdict
from pathlib import Path

from .namespace import Host
from .process import wait_until
from .programs import find_program


class ControlProbe:
    """A running control-probe, on a host. To be used as a context."""

    def __init__(self, host: Host, server: str):
        self._popen = subprocess.Popen(
            host.wrap([str(find_program("control-probe")), server]), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._lock = threading.Lock()
        self._events: dict[int, list[dict]] = defaultdict(list)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "ControlProbe":
        return self

    def __exit__(self, *exception) -> None:
        self._popen.stdin.close()
        try:
            self._popen.wait(5)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._popen.wait(5)
        self._reader.join(5)

    def join(self, *numbers: int, key: str) -> None:
        """New machines, which all begin at once."""
        self._say("".join(f"join {number} {key}\n" for number in numbers))

    def leave(self, number: int) -> None:
        self._say(f"leave {number}\n")

    def events(self, number: int, kind: str = "") -> list[dict]:
        """What an agent was told so far, in order."""
        with self._lock:
            return [e for e in self._events[number] if not kind or e["event"] == kind]

    def wait(self, number: int, *kinds: str, timeout: float = 10) -> dict:
        """The first event of one of these kinds."""
        return wait_until(lambda: next((e for e in self.events(number) if e["event"] in kinds),
                                       None), timeout, f"agent {number}: {' or '.join(kinds)}")

    def _say(self, text: str) -> None:
        with self._lock:
            self._popen.stdin.write(text)
            self._popen.stdin.flush()

    def _read(self) -> None:
        for line in self._popen.stdout:
            event = json.loads(line)
            with self._lock:
                self._events[event["agent"]].append(event)


def administer(path: Path, request: dict, timeout: float = 5) -> dict | None:
    """One request of the administration, as `trellis server` sends it. None if no whole answer came
    back: then nobody knows whether it was done."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(timeout)
            line.connect(str(path))
            line.sendall(json.dumps(request).encode() + b"\n")
            while not answer.endswith(b"\n"):
                piece = line.recv(1 << 16)
                if not piece:
                    return None
                answer += piece
    except OSError:
        return None
    return json.loads(answer)
