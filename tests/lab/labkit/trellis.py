"""Agents of ours in the lab: keys, a list of peers, a running trellisd."""

import json
import time
from pathlib import Path

from .namespace import Host
from .process import Process, run, wait_until
from .programs import find_program

NETWORK_V4 = "100.71.0"
NETWORK_V6 = "fd71:7e11:15::"
PORT = 51820


class Agent:
    """One machine's trellisd: its state folder, its peers.toml, its process."""

    def __init__(self, host: Host, number: int, folder: Path, *, environment: dict | None = None,
                 programs: Path | None = None):
        self.host = host
        self.name = host.name
        self.v4 = f"{NETWORK_V4}.{number}"
        self.v6 = f"{NETWORK_V6}{number:x}"
        self.state = folder / "state"
        self.config = folder / "peers.toml"
        self.socket = folder / "trellisd.sock"
        self.environment = environment or {}
        self.programs = programs
        self.process: Process | None = None
        self.mode = "strict"
        self.interface = "trellis0"
        self.peers: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.cli("keys", "new", "--state", self.state)
        self.keys = json.loads(self.cli("keys", "show", "--json", "--state", self.state))

    def program(self, name: str) -> Path:
        return self.programs / name if self.programs else find_program(name)

    def cli(self, *arguments, check: bool = True) -> str:
        """What `trellis ARGUMENTS` prints."""
        return run([str(self.program("trellis")), *map(str, arguments)], check=check).stdout

    def add_peer(self, other: "Agent", endpoint: str | None, *, key: Path | None = None) -> None:
        """Lists another agent; `key` overrides its Rosenpass public key file."""
        lines = ["[[peer]]", f'name = "{other.name}"',
                 f'wireguard_key = "{other.keys["wireguard_key"]}"',
                 f'rosenpass_key = "{key or other.state / "rosenpass.pub"}"',
                 f'addresses = ["{other.v4}", "{other.v6}"]']
        if endpoint:
            lines.append(f'endpoint = "{endpoint}"')
        self.peers.append("\n".join(lines))
        self.write()

    def write(self) -> None:
        """Writes peers.toml."""
        head = ["[host]", f'name = "{self.name}"', f'mode = "{self.mode}"',
                f'interface = "{self.interface}"',
                f"listen_port = {PORT}",
                f'addresses = ["{self.v4}/24", "{self.v6}/64"]']
        self.config.write_text("\n".join(head) + "\n\n" + "\n\n".join(self.peers) + "\n")

    def start(self, *, log_level: str = "debug", wait: bool = True) -> Process:
        self.process = self.host.spawn(
            str(self.program("trellisd")), "--static", str(self.config), "--state",
            str(self.state), "--socket", str(self.socket), "--foreground", "--log-level",
            log_level, name="trellisd", env=self.environment)
        if wait:
            self.process.wait_for(r"running version=", timeout=10)
        return self.process

    def stop(self) -> int:
        return self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def status(self) -> dict:
        return json.loads(self.cli("status", "--json", "--socket", self.socket))

    def peer(self, other: "Agent") -> dict:
        """What status says of another agent."""
        return next(p for p in self.status()["peers"] if p["name"] == other.name)

    def table(self) -> str:
        return self.cli("status", "--socket", self.socket)


def wait_for_pair(a: Agent, b: Agent, timeout: float = 10) -> float:
    """Waits until both say that packets go under a post-quantum key; returns the seconds."""
    started = time.monotonic()
    wait_until(lambda: a.peer(b)["post_quantum"] and b.peer(a)["post_quantum"], timeout,
               f"{a.name} and {b.name} post-quantum", every=0.05)
    return time.monotonic() - started


def make_pair(a_host: Host, b_host: Host, link, folder: Path, *, family: int = 4,
              both_know: bool = True, **options) -> tuple[Agent, Agent]:
    """Two agents that list each other, not yet started. Endpoints are on `link`."""
    a = Agent(a_host, 1, folder / a_host.name, **options)
    b = Agent(b_host, 2, folder / b_host.name, **options)

    def endpoint(host: Host) -> str:
        end = link.end(host)
        return f"{end.v4}:{PORT}" if family == 4 else f"[{end.v6}]:{PORT}"

    a.add_peer(b, endpoint(b_host))
    b.add_peer(a, endpoint(a_host) if both_know else None)
    return a, b
