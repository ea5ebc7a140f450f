"""Fixtures of the interop tests. Peers talk on loopback, without root, or in a lab."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "lab")]
import labkit  # noqa: E402
import peers  # noqa: E402
import wireguard_peers  # noqa: E402
from labkit.fixtures import *  # noqa: E402, F401, F403

FOREIGN = {"rust": peers.RustRosenpass, "go": peers.GoRosenpass}


class Pairs:
    """Makes peers and ends them with the test."""

    def __init__(self, directory: Path, keys: dict[str, peers.Keys]):
        self.directory = directory
        self.keys = keys
        self.running: list[peers.RunningPeer] = []

    def start(self, program, role: str, own: peers.Keys, peer_public: Path, listen: str, **options):
        """Starts `program` in a folder of its own named after its role."""
        running = program.run(self.directory / role, own, peer_public, listen, **options)
        self.running.append(running)
        return running

    def own_keys(self, party: str, program) -> peers.Keys:
        """Keys of a party, in the form that the program reads."""
        folder = self.directory / f"{party}.keys"
        wanted = getattr(program, "secret_bytes", None)
        keys = self.keys[party]
        return peers.converted(keys, folder, wanted) if wanted else keys

    def close(self) -> None:
        for running in self.running:
            running.stop()


@pytest.fixture(scope="session")
def foreign():
    """Gives a foreign implementation by name, built when first asked for; skips if it cannot be."""
    made = {}

    def get(name: str):
        if name not in made:
            try:
                made[name] = FOREIGN[name]()
            except peers.Unavailable as reason:
                made[name] = reason
        if isinstance(made[name], peers.Unavailable):
            pytest.skip(f"{FOREIGN[name].name}: {made[name]}")
        return made[name]

    return get


@pytest.fixture(scope="session")
def ours():
    """Our side; skips until it is built."""
    return peers.OurRosenpass(labkit.find_program("rosenpass-probe"))


@pytest.fixture(scope="session")
def program():
    """trellis-rosenpass, to be used like `rosenpass`; skips until it is built."""
    return peers.TrellisRosenpass(labkit.find_program("trellis-rosenpass"))


@pytest.fixture(scope="session")
def party_keys(foreign, tmp_path_factory):
    """Keys made by each foreign implementation, as it makes them: {"rust": ..., "go": ...}."""
    folder = tmp_path_factory.mktemp("keys")
    return {name: foreign(name).gen_keys(folder / name) for name in FOREIGN}


@pytest.fixture
def pairs(party_keys, tmp_path):
    made = Pairs(tmp_path, party_keys)
    yield made
    made.close()


@pytest.fixture(scope="session")
def foreign_wireguard(tmp_path_factory):
    """Makes tunnels between trellis-wg and other implementations of WireGuard."""
    made = wireguard_peers.Foreign(tmp_path_factory.mktemp("kernel"))
    yield made
    made.close()


@pytest.fixture(params=wireguard_peers.ALL)
def each_wireguard(request, tun, foreign_wireguard):
    """The name of an implementation, which is there. Ask for it before `lab`: what it needs to run
    outlives the test."""
    return prepared(foreign_wireguard, request.param)


@pytest.fixture
def kernel_wireguard(tun, foreign_wireguard):
    """The same of the kernel's."""
    return prepared(foreign_wireguard, wireguard_peers.KERNEL)


def prepared(foreign_wireguard: wireguard_peers.Foreign, name: str) -> str:
    labkit.find_tool("wg")
    try:
        foreign_wireguard.prepare(name)
    except peers.Unavailable as reason:
        pytest.skip(f"{name}: {reason}")
    return name
