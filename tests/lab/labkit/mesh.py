"""A mesh of ours in the lab: a server, and agents that join it."""

import json
import os
import time
from pathlib import Path

from .namespace import Host
from .process import CommandFailed, Process, run, wait_until
from .programs import find_program

PORT = 443
DOMAIN = "trellis.internal"


class Programs:
    """Where our programs are taken from: a folder, else the usual places."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder

    def find(self, name: str) -> str:
        return str(self.folder / name if self.folder else find_program(name))


class MeshServer:
    """A trellis-server: its state folder, its process, and what an administrator types."""

    def __init__(self, host: Host, address: str, folder: Path, *, programs: Path | None = None,
                 options: tuple[str, ...] = ()):
        self.host = host
        self.prefix: tuple[str, ...] = ()  # words before the program: it runs inside of another
        self.address = address
        self.folder = folder
        self.state = folder / "state"
        self.socket = folder / "server.sock"
        self.options = options
        self.process: Process | None = None
        self._programs = Programs(programs)
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, *, log_level: str = "debug", wait: bool = True) -> Process:
        self.process = self.host.spawn(
            *self.prefix, self._programs.find("trellis-server"), "--state", str(self.state), "--public",
            self.address, "--socket", str(self.socket), "--foreground", "--log-level", log_level,
            *self.options, name="trellis-server")
        if wait:
            self.process.wait_for(self.answers, 10)
        return self.process

    def answers(self) -> bool:
        """Whether it can be administered."""
        return self.cli("status", "--json", check=False).returncode == 0

    def stop(self) -> int:
        return self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def cli(self, *words, check: bool = True):
        """`trellis server WORDS`."""
        return run([self._programs.find("trellis"), "server", *map(str, words), "--socket",
                    str(self.socket)], check=check)

    def json(self, *words):
        return json.loads(self.cli(*words, "--json").stdout)

    def setup_key(self, *options) -> dict:
        """A new setup key: {"id", "setup_key", "server", ...}; `server` is for `trellis up`."""
        return self.json("setup-key", "create", *options)

    def peers(self) -> list[dict]:
        answer = self.json("peer", "list")
        return answer["peers"] if isinstance(answer, dict) else answer


class MeshAgent:
    """One machine's trellisd: its state folder, its process, and what is typed there."""

    def __init__(self, host: Host, folder: Path, *, programs: Path | None = None,
                 environment: dict[str, str] | None = None):
        self.host = host
        self.name = host.name
        self.folder = folder
        self.state = folder / "state"
        self.socket = folder / "trellisd.sock"
        self.resolv_conf = folder / "resolv.conf"
        self.environment = environment or {}
        self.process: Process | None = None
        self._programs = Programs(programs)
        folder.mkdir(parents=True, exist_ok=True)

    # ---- the program -----------------------------------------------------------------------------

    def start(self, *, log_level: str = "debug", wait: bool = True) -> Process:
        """Starts trellisd in the foreground, with a log in the lab's folder."""
        self.process = self.host.spawn(
            self._programs.find("trellisd"), "--state", str(self.state), "--socket",
            str(self.socket), "--foreground", "--log-level", log_level, name="trellisd",
            env=self.environment)
        if wait:
            self.process.wait_for(self.answers, 10)
        return self.process

    def answers(self) -> bool:
        return self.cli("status", "--json", check=False).returncode == 0

    def stop(self) -> int:
        return self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    # ---- what is typed ---------------------------------------------------------------------------

    def cli(self, *words, check: bool = True, input: str | None = None, timeout: float = 40):
        """`trellis WORDS`, on that machine."""
        return self.host.run(self._programs.find("trellis"), *map(str, words), "--socket",
                             str(self.socket), check=check, input=input, timeout=timeout)

    def up_words(self, key: dict, *options) -> list[str]:
        """`trellis up` with a setup key of MeshServer.setup_key()."""
        file = self.folder / "setup.key"
        file.touch(mode=0o600)
        file.write_text(key["setup_key"])
        name = [] if "--hostname" in options else ["--hostname", self.name]
        return ["up", "--server", key["server"], "--setup-key-file", str(file), *name, "--state",
                str(self.state), *map(str, options)]

    def join(self, key: dict, *options, check: bool = True):
        """`trellis up`; trellisd must run already (`start()`), or it would belong to nobody."""
        return self.cli(*self.up_words(key, *options), check=check)

    def up(self, *options, check: bool = True):
        """`trellis up` with what is stored."""
        return self.cli("up", "--state", self.state, *options, check=check)

    def down(self):
        return self.cli("down")

    # ---- what it says ----------------------------------------------------------------------------

    def status(self) -> dict:
        return json.loads(self.cli("status", "--json").stdout)

    def table(self) -> str:
        return self.cli("status").stdout

    def peer(self, other: "MeshAgent | str") -> dict | None:
        """What status says of another agent; None if it is not in the map."""
        name = other if isinstance(other, str) else other.name
        return next((p for p in self.status()["peers"] if p["name"] == name), None)

    def network(self) -> dict:
        return self.status()["network"]

    def addresses(self) -> list[str]:
        """Its own addresses in the network, without prefix lengths."""
        return [address.split("/")[0] for address in self.status()["addresses"]]

    @property
    def v4(self) -> str:
        return next(a for a in self.addresses() if ":" not in a)

    @property
    def v6(self) -> str:
        return next(a for a in self.addresses() if ":" in a)

    # ---- names -----------------------------------------------------------------------------------

    def use_resolver(self, domain: str = DOMAIN) -> None:
        """From now on `named` asks the agent for names."""
        self.resolv_conf.write_text(f"nameserver {self.v4}\nsearch {domain}\noptions timeout:1\n")

    def named(self, *words, check: bool = True, timeout: float = 30):
        """Runs a program that sees a resolv.conf of its own; the machine's file is not touched."""
        # `ip netns exec` gives the program a mount namespace of its own, in which this mount stays.
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return self.host.run("sh", "-c", script, str(self.resolv_conf), *map(str, words),
                             check=check, timeout=timeout)


def post_quantum_pairs(agents: list[MeshAgent]) -> int:
    """How many ordered pairs carry packets under a post-quantum key."""
    names = {agent.name for agent in agents}
    return sum(peer["post_quantum"] for agent in agents for peer in agent.status()["peers"]
               if peer["name"] in names)


def wait_for_mesh(agents: list[MeshAgent], timeout: float = 15) -> float:
    """Waits until all pairs are post-quantum at both ends; returns the seconds that took."""
    started = time.monotonic()
    wanted = len(agents) * (len(agents) - 1)
    wait_until(lambda: post_quantum_pairs(agents) == wanted, timeout,
               f"all of {', '.join(a.name for a in agents)} post-quantum", every=0.05)
    return time.monotonic() - started


def agent_pid(host: Host) -> int | None:
    """The trellisd that runs on a host, whoever started it."""
    for pid in run(["ip", "netns", "pids", host.namespace]).stdout.split():
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == "trellisd":
                return int(pid)
        except FileNotFoundError:
            pass
    return None


def up_by_itself(agent: MeshAgent, key: dict, timeout: float = 40) -> str:
    """`trellis up` on a machine where no trellisd runs; returns what it said."""
    process = agent.host.spawn(agent._programs.find("trellis"), *agent.up_words(key), "--socket",
                               str(agent.socket), name="up", env=agent.environment)
    status = process.wait(timeout)
    if status != 0:
        log = agent.socket.with_name("trellisd.log")
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise CommandFailed(f"{agent.name}: trellis up: exit status {status}\n{process.text()}"
                            f"{tail}")
    return process.output()


def end_by_itself(agent: MeshAgent, number: int, timeout: float = 5) -> None:
    """Sends a signal to the trellisd that `trellis up` started, and waits for its end."""
    pid = agent_pid(agent.host)
    if pid is not None:
        os.kill(pid, number)
        wait_until(lambda: agent_pid(agent.host) is None, timeout, f"{agent.name}: trellisd's end")
