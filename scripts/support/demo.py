"""What scripts/demo shows, once everything is built: a server, and three hosts that join it."""

import itertools
import re
import signal
import sys
from pathlib import Path

from demo_common import OFTEN, Renewals, run_demo, say, watch
from labkit import Lab, iperf3, start_ping
from labkit.mesh import MeshAgent, MeshServer, end_by_itself, up_by_itself, wait_for_mesh

NAMES = ("alice", "bob", "carol")
PINGS = 5
MEDIAN = re.compile(r"rtt min/avg/max/mdev = [\d.]+/([\d.]+)/")


def start_server(lab: Lab, folder: Path):
    """The server on a host of its own; returns it and the network on which all hosts are."""
    hosts = [lab.host(name) for name in ("server", *NAMES)]
    network = lab.network(*hosts, offload=True)
    server = MeshServer(hosts[0], network.end(hosts[0]).v4, folder / "server")
    server.start(log_level="info")
    say(f"a server at {server.address}, and {len(NAMES)} hosts that know nothing of each other")
    return server, hosts[1:]


def join(server: MeshServer, hosts: list, folder: Path) -> list[MeshAgent]:
    key = server.setup_key("--reusable", "--limit", str(len(hosts)))
    say("trellis server setup-key create --reusable prints")
    print(f"    trellis up --server {key['server']} --setup-key-file ...")
    agents = []
    for host in hosts:
        agent = MeshAgent(host, folder / host.name)
        text = up_by_itself(agent, key)
        say(f"{host.name}# trellis up --server ... --setup-key-file ...")
        print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)
        agents.append(agent)
    return agents


def ping_by_name(source: MeshAgent, target: MeshAgent) -> None:
    for family in ("-4", "-6"):
        result = source.named("ping", family, "-c", str(PINGS), "-i", "0.05", "-W", "1",
                              target.name, check=False)
        if f"{PINGS} received" not in result.stdout:
            raise AssertionError(f"{source.name}: ping {family} {target.name}:\n"
                                 f"{result.stdout}{result.stderr}")
    say(f"{source.name} pings {target.name} by name, IPv4 and IPv6: all answered, "
        f"{MEDIAN.search(result.stdout)[1]} ms")


def check_all(agents: list[MeshAgent]) -> None:
    """Every pair must be direct and post-quantum, at both ends."""
    for a, b in itertools.permutations(agents, 2):
        peer = a.peer(b)
        if not peer["post_quantum"] or not (peer.get("path") or {}).get("address"):
            raise AssertionError(f"{a.name} to {b.name}: {peer}")


def watch_all(agents: list[MeshAgent], duration: float) -> None:
    pairs = list(itertools.combinations(agents, 2))
    pings = {f"{a.name} to {b.name}": start_ping(a.host, b.v4, interval=OFTEN) for a, b in pairs}
    renewals = [Renewals(f"{a.name} and {b.name}", lambda a=a, b=b: a.peer(b)) for a, b in pairs]
    watch(pings, renewals, duration)


def demo(lab: Lab, folder: Path, duration: float) -> None:
    server, hosts = start_server(lab, folder)
    agents = join(server, hosts, folder)
    took = wait_for_mesh(agents)
    say(f"all {len(agents) * (len(agents) - 1) // 2} pairs are direct and post-quantum, "
        f"{took:.2f} s after the last one has joined")
    for agent in agents:
        agent.use_resolver()
    for source, target in itertools.permutations(agents, 2):
        ping_by_name(source, target)
    print("".join(f"    {line}\n" for line in agents[0].cli("ping", agents[1].name).stdout
                  .splitlines()), end="")
    figure = iperf3(agents[0].host, agents[1].host, agents[1].v4, seconds=2)
    say(f"iperf3, one TCP stream through the tunnel: {figure.bits_per_second / 1e6:.0f} Mbit/s")
    if duration:
        watch_all(agents, duration)
    print()
    for agent in agents:
        print(agent.table())
    print(server.cli("peer", "list").stdout)
    check_all(agents)
    for agent in agents:
        end_by_itself(agent, signal.SIGTERM)
    if server.stop() != 0:
        raise AssertionError("trellis-server did not end well")


if __name__ == "__main__":
    sys.exit(run_demo(demo))
