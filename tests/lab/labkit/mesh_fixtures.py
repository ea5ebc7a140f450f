"""Fixtures of tests that use a mesh: a conftest.py takes all of it, as of `fixtures`."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest

from . import Datagram, Lab, find_program
from .mesh import MeshAgent, MeshServer, wait_for_mesh

__all__ = ["mesh", "mesh_programs"]  # and Mesh, for those who need a mesh of other programs


class Mesh:
    """A server and hosts on one network. The server runs; who joins is the test's business.

    `programs`: the folder to take ours from, if not from where they usually are.
    """

    def __init__(self, lab: Lab, folder: Path, names: tuple[str, ...] = ("alice", "bob", "carol"),
                 *, programs: Path | None = None):
        self.lab = lab
        self.folder = folder
        self.programs = programs
        self.hosts = {name: lab.host(name) for name in ("server", *names)}
        self.network = lab.network(*self.hosts.values())
        self.server = MeshServer(self.hosts["server"], self.network.end(self.hosts["server"]).v4,
                                 folder / "server", programs=programs)
        self.server.start()
        self._key: dict | None = None

    @property
    def key(self) -> dict:
        """A setup key for any number of hosts."""
        if self._key is None:
            self._key = self.server.setup_key("--reusable")
        return self._key

    def agent(self, name: str, *, start: bool = True) -> MeshAgent:
        """An agent that has not joined."""
        agent = MeshAgent(self.hosts[name], self.folder / name, programs=self.programs)
        if start:
            agent.start()
        return agent

    def joined(self, *names: str) -> list[MeshAgent]:
        """Agents that have joined one after the other, all pairs post-quantum."""
        agents = [self.agent(name) for name in names]
        for agent in agents:
            agent.join(self.key)
        wait_for_mesh(agents)
        return agents

    def capture(self, of: str, expression: str = "", **options):
        """Captures all that a host sends and receives, from now on."""
        host = self.hosts[of]
        return self.lab.capture_interface(host, self.network.end(host).interface, expression,
                                          **options)

    def owners(self) -> dict[str, str]:
        """Host names by their addresses on the network."""
        ends = [self.network.end(host) for host in self.hosts.values()]
        return {address: end.host.name for end in ends for address in (end.v4, end.v6)}

    def by_host(self, datagrams: Iterable[Datagram]) -> list[Datagram]:
        """Those between hosts, with names in place of addresses: a path may change its family."""
        owners = self.owners()
        return [dataclasses.replace(d, src=owners[d.src], dst=owners[d.dst]) for d in datagrams
                if d.src in owners and d.dst in owners]


@pytest.fixture(scope="session")
def mesh_programs(tun):
    for name in ("trellisd", "trellis", "trellis-server"):
        find_program(name)


@pytest.fixture
def mesh(lab, mesh_programs, tmp_path):
    """A running server, and the hosts alice, bob and carol."""
    return Mesh(lab, tmp_path / "mesh")
