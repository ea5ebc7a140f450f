"""S13: no secret that the agents held stands in anything that they wrote or showed.

The dumping build tells every X25519 key and preshared key that was used, also those that live for
one session only, so that they can be searched for, too.
"""

import base64
import signal
from pathlib import Path

import dump
from labkit import find_secrets, ping, search_files
from labkit.leaks import visible_of
from labkit.mesh import wait_for_mesh
from labkit.mesh_fixtures import Mesh
from labkit.mesh_leaks import PRIVATE_FILES, say_all
from labkit.trellis import make_pair, wait_for_pair
from test_recorder import dumping_build  # noqa: F401  (a fixture)


def secrets_of(agent, dumped: Path) -> dict[str, bytes]:
    """Everything secret of one agent, by a name for the report."""
    held = dump.read([dumped])
    assert len(held.x25519_private) >= 2 and held.preshared_keys
    values = [*held.x25519_private, *held.preshared_keys]
    secrets = {f"{agent.name} dumped {number}": value for number, value in enumerate(values)}
    raw = (agent.state / "rosenpass.key").read_bytes()
    # Seed, Goppa polynomial, the secret string: parts that nobody else has.
    secrets |= {f"{agent.name} rosenpass {at}": raw[at:at + 32] for at in (0, 40, 13032, 13576)}
    secrets[f"{agent.name} wireguard"] = base64.b64decode((agent.state / "wireguard.key").read_text())
    return secrets


def test_nothing_written_or_shown_at_trace_level_holds_a_secret(lab, tun, two_hosts, tmp_path,
                                                                dumping_build):  # noqa: F811
    alice, bob, link = two_hosts
    a, b = make_pair(alice, bob, link, tmp_path / "agents", programs=dumping_build)
    dumps = {}
    for agent in (a, b):
        dumps[agent] = tmp_path / "agents" / f"{agent.name}.dump"
        agent.environment = {"TRELLIS_SECRET_DUMP": str(dumps[agent])}
        agent.start(log_level="trace")
    wait_for_pair(a, b)
    assert ping(alice, b.v4, count=5).lost == 0
    a.cli("reload", "--socket", a.socket)
    a.cli("peers", "trust", "bob", "--socket", a.socket)
    shown = {}
    for agent in (a, b):
        for words in (("status", "--json"), ("status",), ("peers", "--json")):
            shown[f"{agent.name} {words}"] = agent.cli(*words, "--socket", agent.socket).encode()
        shown[f"{agent.name} keys"] = agent.cli("keys", "show", "--state", agent.state).encode()
        for what, content in visible_of(agent.process.pid).items():
            shown[f"{agent.name} {what}"] = content
    a.process.signal(signal.SIGABRT)  # a crash, with whatever this machine does with core files
    a.process.wait()
    b.stop()

    secrets = secrets_of(a, dumps[a]) | secrets_of(b, dumps[b])
    leaks = [leak for name, content in shown.items()
             for leak in find_secrets(content, secrets, name)]
    written = [path for path in tmp_path.rglob("*") if path.is_file()
               and path.suffix not in (".dump", ".key")]
    written += [Path(path) for path in Path.cwd().glob("core*") if path.is_file()]
    assert any(path.name == "state.json" for path in written)
    assert any(path.suffix == ".log" and " debug " in path.read_text() for path in written)
    assert leaks + search_files(written, secrets) == []


def test_nothing_of_a_mesh_holds_a_secret_of_any_session(lab, tun, tmp_path,
                                                         dumping_build):  # noqa: F811
    """The keys that tests/lab cannot know: ephemeral ones, and those that the exchanges made."""
    mesh = Mesh(lab, tmp_path / "mesh", programs=dumping_build)
    agents = [mesh.agent(name, start=False) for name in ("alice", "bob", "carol")]
    secrets = {}
    for agent in agents:
        agent.environment = {"TRELLIS_SECRET_DUMP": str(agent.folder / "secrets.dump")}
        agent.start(log_level="trace")
        agent.join(mesh.key)
    wait_for_mesh(agents)
    assert ping(agents[0].host, agents[1].v4, count=5).lost == 0
    agents[2].stop()
    agents[2].start(log_level="trace")
    wait_for_mesh(agents)
    say_all(mesh, agents, tmp_path / "said")
    for agent in agents:
        secrets |= secrets_of(agent, agent.folder / "secrets.dump")
    assert len([name for name in secrets if "dumped" in name]) > 3 * 4
    written = [path for path in tmp_path.rglob("*") if path.is_file()
               and path.suffix != ".dump" and path.name not in PRIVATE_FILES]
    assert {"map.json", "state.json", "server.db-wal", "alice.trellisd.log",
            "server.trellis-server.log"} <= {path.name for path in written}
    assert search_files(written, secrets) == []


def test_the_search_finds_what_is_there(tmp_path):
    """The control: the same search over a log that does hold a secret."""
    secret = bytes(range(100, 132))
    for text in (secret, secret.hex().encode(), base64.b64encode(secret)):
        (tmp_path / "leaky.log").write_bytes(b"key=" + text + b"\n")
        assert search_files([tmp_path], {"secret": secret})
