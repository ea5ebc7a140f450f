"""How long a machine takes until it reaches another: ours beside stock NetBird, in turns.

Usage: run.py [--rounds 10] [--products trellis,netbird] [--csv FILE] [--settle SECONDS]

Three namespaces on one bridge: a server and the hosts a and b. Each round begins with empty state
folders; a joins, then b is measured. Each number is the time from a command (or from the start of
the programs) to the first answered ping, both ways, sent after it: pings go every 5 ms, also while
there is no way.
"""

import argparse
import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "tests" / "interop")]

import peers  # noqa: E402
from labkit import Lab, MissingProgram, sweep, wait_until  # noqa: E402
from labkit.fixtures import namespaces_reason, tun_reason  # noqa: E402
from labkit.measure import Watch  # noqa: E402
from labkit.mesh import MeshAgent, MeshServer  # noqa: E402
from labkit.netbird import NetBirdAgent, NetBirdServer  # noqa: E402

MEASURES = ("first join", "down, up", "restart by SIGTERM", "restart by SIGKILL", "both restarted")
ANSWER_SECONDS = 200


class Trellis:
    """Ours: the server, and two agents for each round."""

    name = "trellis"

    def __init__(self, lab: Lab, folder: Path):
        self.hosts = [lab.host(name) for name in ("server", "a", "b")]
        self.network = lab.network(*self.hosts, name="switch-trellis")
        self.folder = folder
        self.server = MeshServer(self.hosts[0], self.network.end(self.hosts[0]).v4,
                                 folder / "server")
        self.server.start(log_level="info")
        self.key = self.server.setup_key("--reusable")

    def agents(self, number: int) -> list[MeshAgent]:
        made = [MeshAgent(host, self.folder / f"{number}.{host.name}") for host in self.hosts[1:]]
        for agent in made:
            agent.start(log_level="info")
        return made

    def join(self, agent: MeshAgent) -> None:
        agent.join(self.key)

    def up(self, agent: MeshAgent) -> None:
        agent.up()

    def address(self, agent: MeshAgent) -> str:
        return agent.v4

    def restart(self, agent: MeshAgent) -> None:
        agent.start(log_level="info", wait=False)

    def steps(self, agent: MeshAgent) -> dict[str, float]:
        """How long each step of its latest way into the network took, in milliseconds."""
        return {step["name"]: step["milliseconds"] for step in agent.network()["steps"]
                if step.get("milliseconds") is not None}

    def protection(self, agent: MeshAgent) -> str:
        """What protects the packets now."""
        return "post-quantum" if all(p["post_quantum"] for p in agent.status()["peers"]) else "none"

    def forget(self, agents: list[MeshAgent]) -> None:
        for agent in agents:
            agent.cli("logout")
            agent.stop()


class NetBird:
    """Stock NetBird, direct connections, with or without its Rosenpass."""

    def __init__(self, lab: Lab, folder: Path, *, rosenpass: bool):
        self.name = "netbird-rosenpass" if rosenpass else "netbird"
        self.rosenpass = rosenpass
        self.programs = peers.netbird_programs()
        self.hosts = [lab.host(name) for name in ("server", "a", "b")]
        self.network = lab.network(*self.hosts, name=f"switch-{self.name}")
        self.folder = folder
        self.server = NetBirdServer(self.hosts[0], self.network.end(self.hosts[0]).v4,
                                    folder / "server", self.programs["netbird-server"])
        self.server.start()

    def agents(self, number: int) -> list[NetBirdAgent]:
        made = [NetBirdAgent(host, self.server, self.folder / f"{number}.{host.name}",
                             self.programs["netbird"], rosenpass=self.rosenpass)
                for host in self.hosts[1:]]
        for agent in made:
            agent.start()
            agent.wait_started()
        return made

    def join(self, agent: NetBirdAgent) -> None:
        agent.up()

    def up(self, agent: NetBirdAgent) -> None:
        agent.up()

    def address(self, agent: NetBirdAgent) -> str:
        return wait_until(lambda: agent.v4, 10, "an address")

    def restart(self, agent: NetBirdAgent) -> None:
        agent.start()

    def steps(self, agent: NetBirdAgent) -> dict[str, float]:
        return {}

    def protection(self, agent: NetBirdAgent) -> str:
        if not self.rosenpass:
            return "classical"
        return "rosenpass" if agent.status()["quantumResistance"] else "classical"

    def forget(self, agents: list[NetBirdAgent]) -> None:
        for agent in agents:
            agent.down()
            agent.stop()
            self.server.remove(agent.host.name)


class Round:
    """One product, one round: all measures."""

    def __init__(self, product, number: int, settle: float):
        self.product = product
        self.number = number
        self.settle = settle
        self.results: dict[str, float] = {}
        self.protection: dict[str, str] = {}
        self.steps: dict[str, float] = {}  # of the first join

    def run(self) -> None:
        a, b = self.agents = self.product.agents(self.number)
        self.product.join(a)
        there = Watch(b.host, self.product.address(a))
        time.sleep(self.settle)
        begun = time.monotonic()
        self.product.join(b)
        back = Watch(a.host, self.product.address(b))
        self._note("first join", b, there.first_after(begun, ANSWER_SECONDS) - begun)
        back.first_after(begun, ANSWER_SECONDS)
        self.steps = self.product.steps(b)
        self.watches = (there, back)

        time.sleep(self.settle)
        b.down()
        self._measure("down, up", b, lambda: self.product.up(b))
        self._restart("restart by SIGTERM", [b], lambda agent: agent.stop())
        self._restart("restart by SIGKILL", [b], lambda agent: agent.kill())
        self._restart("both restarted", [a, b], lambda agent: agent.kill())
        for watch in self.watches:
            watch.stop()
        self.product.forget(self.agents)

    def _restart(self, what: str, which: list, end: Callable) -> None:
        time.sleep(self.settle)
        for agent in which:
            end(agent)
        self._measure(what, which[-1], lambda: [self.product.restart(agent) for agent in which])

    def _measure(self, what: str, agent, act: Callable) -> None:
        """The time from `act` until pings are answered both ways."""
        time.sleep(0.1)  # answers that are still under way
        begun = time.monotonic()
        act()
        answered = max(watch.first_after(begun, ANSWER_SECONDS) for watch in self.watches)
        self._note(what, agent, answered - begun)

    def _note(self, what: str, agent, seconds: float) -> None:
        self.results[what] = seconds
        self.protection[what] = self.product.protection(agent)


def make_product(name: str, lab: Lab, folder: Path):
    if name == "trellis":
        return Trellis(lab, folder / name)
    return NetBird(lab, folder / name, rosenpass=name == "netbird-rosenpass")


def table(rows: list[dict], products: list[str]) -> str:
    lines = [f"{'median of seconds':<22}" + "".join(f"{name:>20}" for name in products) + "   ratio"]
    for what in MEASURES:
        medians = [statistics.median(row["seconds"] for row in rows
                                     if row["product"] == name and row["measure"] == what)
                   for name in products]
        line = f"{what:<22}" + "".join(f"{value:>20.3f}" for value in medians)
        if len(medians) > 1 and medians[1]:
            line += f"{medians[0] / medians[1]:>8.2f}"
        lines.append(line)
    return "\n".join(lines)


def where_the_time_goes(steps: list[dict[str, float]]) -> str:
    """Medians of the steps of our first joins."""
    names = list(dict.fromkeys(name for one in steps for name in one))
    medians = {name: statistics.median(one[name] for one in steps if name in one)
               for name in names}
    return "steps of our first join, median of ms: " + ", ".join(
        f"{name} {value:.0f}" for name, value in medians.items())


def bench(lab: Lab, folder: Path, options) -> tuple[list[dict], list[dict[str, float]]]:
    products = [make_product(name, lab, folder) for name in options.products]
    rows = []
    steps = []
    for number in range(1, options.rounds + 1):
        # Whoever goes first in one round goes last in the next.
        for product in products if number % 2 else products[::-1]:
            one = Round(product, number, options.settle)
            one.run()
            steps += [one.steps] if one.steps else []
            rows += [{"product": product.name, "round": number, "measure": what,
                      "seconds": round(seconds, 4), "protection": one.protection[what]}
                     for what, seconds in one.results.items()]
            print(f"round {number}, {product.name}: " + ", ".join(
                f"{what} {seconds:.2f}" for what, seconds in one.results.items()), flush=True)
    return rows, steps


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/join/run.py")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--products", default="trellis,netbird", type=lambda t: t.split(","))
    parser.add_argument("--settle", type=float, default=3, help="seconds between two measures")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    reason = namespaces_reason() or tun_reason()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    sweep()
    with tempfile.TemporaryDirectory(prefix="trellis-bench-") as folder:
        try:
            with Lab(Path(folder) / "logs") as lab:
                rows, steps = bench(lab, Path(folder), options)
        except (peers.Unavailable, MissingProgram) as missing:
            print(f"skipped: {missing}", file=sys.stderr)
            return 1
        except AssertionError as error:
            print(error, file=sys.stderr)
            for log in sorted(Path(folder).glob("logs/*.log")):
                print(f"--- the end of {log.name}\n{log.read_text(errors='replace')[-3000:]}",
                      file=sys.stderr)
            return 1
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    print(table(rows, options.products))
    if steps:
        print(where_the_time_goes(steps))
    return 0


if __name__ == "__main__":
    sys.exit(main())
