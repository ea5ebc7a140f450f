"""trellis-rosenpass in the place of `rosenpass` and `rp`: files, words and tunnels, with Rust's."""

import base64
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

import labkit
import peers
from labkit import ping, wireguard
from labkit.measure import start_ping
from labkit.wireguard import unique_interface
from peers import free_endpoint

LINE = re.compile(r'^output-key peer ([A-Za-z0-9+/]{43}=) key-file "(.+)" (exchanged|stale)$')
RACES = int(os.environ.get("TRELLIS_TEST_RACES", "4"))  # 100 for the figures of the documents
ROTATION_SECONDS = 130
LIFE_SECONDS = 180  # of a key


def run(program, *words, status=0, **options):
    """A command that ends by itself; its standard error."""
    result = subprocess.run([program.program, *map(str, words)], capture_output=True, text=True,
                            timeout=60, **options)
    assert result.returncode == status, result.stderr
    return result.stderr


def gen_keys(program, folder: Path) -> peers.Keys:
    folder.mkdir(parents=True, exist_ok=True)
    keys = peers.Keys(folder / "pqpk", folder / "pqsk")
    run(program, "gen-keys", "-p", keys.public, "-s", keys.secret)
    return keys


def lines(running) -> list[tuple[str, str, str]]:
    """What it printed, each line as (pid, path, word)."""
    found = [LINE.match(line) for line in running.process.output().splitlines()]
    return [match.groups() for match in found if match]


@pytest.fixture(params=["ours-ours", "ours-rust", "rust-ours"])
def programs(request, program, foreign):
    """The initiator's program and the responder's."""
    by_name = {"ours": lambda: program, "rust": lambda: foreign("rust")}
    return [by_name[name]() for name in request.param.split("-")]


def test_keys_and_configurations_are_shared(pairs, programs, tmp_path):
    """Each end has keys made by the other end's program."""
    initiator, responder = programs
    own, other = gen_keys(responder, tmp_path / "a"), gen_keys(initiator, tmp_path / "b")
    address = free_endpoint()
    them = pairs.start(responder, "theirs", other, own.public, address)
    us = pairs.start(initiator, "ours", own, other.public, free_endpoint(), endpoint=address)
    us.wait_exchanged()
    them.wait_exchanged()
    peers.wait_common_key(us, them)
    (first,), (second,) = lines(us), lines(them)
    assert first[1:] == (str(us.key_out), "exchanged")
    assert second[1:] == (str(them.key_out), "exchanged")
    assert first[0] != second[0]


def test_the_same_lines_name_the_same_peer(pairs, program, foreign, tmp_path):
    """The initiator's program is changed, nothing else: it prints the same."""
    own, other = gen_keys(program, tmp_path / "a"), gen_keys(program, tmp_path / "b")
    printed = []
    for number, each in enumerate([program, foreign("rust")]):
        address = free_endpoint()
        pairs.start(program, f"theirs-{number}", other, own.public, address)
        folder = tmp_path / "same"
        running = each.run(folder, own, other.public, free_endpoint(), endpoint=address)
        pairs.running.append(running)
        running.wait_exchanged()
        printed.append(lines(running))
        running.stop()
    assert printed[0] == printed[1]


def test_the_words_of_the_command_line(pairs, program, foreign, tmp_path):
    """The same words start either; ours takes an endpoint and a preshared key together, too, and
    writes a configuration that Rust reads."""
    rust = foreign("rust")
    own, other = gen_keys(program, tmp_path / "a"), gen_keys(rust, tmp_path / "b")
    psk = tmp_path / "psk"
    psk.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    psk.chmod(0o600)
    addresses = [free_endpoint(), free_endpoint()]
    config, outputs = tmp_path / "saved.toml", [tmp_path / "a.osk", tmp_path / "b.osk"]
    ours = ["exchange", "-c", config, "public-key", own.public, "secret-key", own.secret, "listen",
            addresses[0], "verbose", "peer", "public-key", other.public, "preshared-key", psk,
            "endpoint", addresses[1], "outfile", outputs[0]]
    theirs = ["exchange", "public-key", other.public, "secret-key", other.secret, "listen",
              addresses[1], "verbose", "peer", "public-key", own.public, "preshared-key", psk,
              "outfile", outputs[1]]
    for role, each, words, output in (("theirs", rust, theirs, outputs[1]),
                                      ("ours", program, ours, outputs[0])):
        process = peers.start([each.program, *words], tmp_path / role)
        pairs.running.append(peers.RunningPeer(process, output))
    them, us = pairs.running[-2:]
    us.wait_exchanged()
    peers.wait_common_key(us, them)
    run(rust, "validate", config)
    assert f'endpoint = "{addresses[1]}"' in config.read_text()


def test_what_is_wrong_is_said(program, tmp_path):
    keys = gen_keys(program, tmp_path)
    config = tmp_path / "c.toml"

    def said(text, status=1):
        config.write_text(text)
        return run(program, "validate", config, status=status)

    own = f'public_key = "{keys.public}"\nsecret_key = "{keys.secret}"\nlisten = []\n'
    assert "in order" in said(own, status=0)
    assert 'line 4, column 1: the configuration has no key "lisen"' in said(own + "lisen = []\n",
                                                                           status=0)
    assert "line 3, column 10" in said(own.replace("[]", '"x"'))
    assert "line 1" in said("public_key = [\n")
    assert "no file /none" in said(own.replace(str(keys.public), "/none"))
    short = tmp_path / "short"
    short.write_bytes(keys.secret.read_bytes()[1:])
    short.chmod(0o600)
    assert "13567" in said(own.replace(str(keys.secret), str(short)))
    keys.secret.chmod(0o644)
    assert "chmod 600" in said(own, status=0)
    assert "--force" in run(program, "gen-keys", "-p", keys.public, "-s", keys.secret, status=1)
    busy = free_endpoint()
    with held_port(busy):
        config.write_text(own.replace("[]", f'["{busy}"]'))
        assert "in use" in run(program, "exchange-config", config, status=1)
    assert "help" in run(program, "frobnicate", status=2)


def held_port(address: str):
    """Holds a UDP port of loopback."""
    host, port = address.rsplit(":", 1)
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    held.bind((host, int(port)))
    return held


@pytest.mark.parametrize("attempt", range(RACES))
def test_two_of_ours_that_begin_at_once_agree(pairs, program, tmp_path, attempt):
    """Two Rust ends have the same key 2 times in 50."""
    own, other = (pairs.own_keys(party, program) for party in ("go", "rust"))
    addresses = free_endpoint(), free_endpoint()
    us = pairs.start(program, "ours", own, other.public, addresses[0], endpoint=addresses[1])
    time.sleep(0.01 * (attempt % 5))
    them = pairs.start(program, "theirs", other, own.public, addresses[1], endpoint=addresses[0])
    us.wait_exchanged()
    them.wait_exchanged()
    time.sleep(2)
    assert us.osk() == them.osk()


@pytest.mark.parametrize("which", ["ours", "theirs"])
@pytest.mark.parametrize("name", ["ours", "rust", "go"])
def test_a_restarted_end_is_followed(pairs, program, foreign, name, which):
    """Killed and started again, three times: it begins anew, and the other end follows."""
    ends = {"ours": program, "theirs": program if name == "ours" else foreign(name)}
    keys = {"ours": pairs.own_keys("go", program), "theirs": pairs.own_keys("rust", ends["theirs"])}
    addresses = {role: free_endpoint() for role in ends}
    stays = "theirs" if which == "ours" else "ours"

    def start(role, other, number):
        return pairs.start(ends[role], f"{role}-{number}", keys[role], keys[other].public,
                           addresses[role], endpoint=addresses[other])
    left = start(stays, which, 0)
    seen = set()
    for number in (1, 2, 3):
        restarted = start(which, stays, number)
        left.wait_exchanged(number)
        restarted.wait_exchanged()
        seen.add(peers.wait_common_key(left, restarted))
        restarted.process.kill()
    assert len(seen) == 3


class Tunnel:
    """Two hosts with WireGuard devices, and Rosenpass between them for their preshared keys."""

    def __init__(self, pairs, two_hosts, ours, theirs, devices, *, both_begin=False):
        alice, bob, self.link = two_hosts
        self.hosts = (alice, bob)
        self.devices = devices
        wg_keys = [wireguard.key_pair() for _ in self.hosts]
        self.others = [wg_keys[1].public, wg_keys[0].public]
        keys = [pairs.own_keys("go", ours), pairs.own_keys("rust", theirs)]
        self.running = []
        for number, device in enumerate(devices):
            device.identify(wg_keys[number], 51820)
            device.bring_up(f"10.9.0.{number + 1}/24")
        for number, each in enumerate((ours, theirs)):
            host, peer = self.hosts[number], self.hosts[1 - number]
            outer = self.link.end(peer).v4
            wg_set = {"device": devices[number].name, "peer": self.others[number],
                      "extra": ["allowed-ips", f"10.9.0.{2 - number}/32", "endpoint",
                                f"{outer}:51820"]}
            begins = number == 0 or both_begin
            self.running.append(pairs.start(
                each, f"side-{number}", keys[number], keys[1 - number].public,
                f"{self.link.end(host).v4}:9999", host=host, wireguard=wg_set,
                endpoint=f"{outer}:9999" if begins else None))

    def psk(self, number: int) -> str | None:
        peer = self.devices[number].show().peers.get(self.others[number])
        return peer.preshared_key if peer else None

    def wait_equal(self, before: str | None = None, timeout: float = 20) -> str:
        def equal():
            first, second = self.psk(0), self.psk(1)
            return first if first and first == second and first != before else None
        return labkit.wait_until(equal, timeout, "one preshared key at both ends")

    def ping(self, **options):
        return ping(self.hosts[0], "10.9.0.2", **options)


@pytest.fixture
def tunnel(pairs, tun, two_hosts, program, foreign):
    """Makes tunnels: the other end's program, and what makes the devices of either end."""
    def make(theirs, devices, **options):
        alice, bob, _ = two_hosts
        makers = {"go": wireguard.wireguard_go,
                  "ours": lambda h: wireguard.trellis_wg(h, labkit.find_program("trellis-wg"))}
        made = [makers[name](host) for name, host in zip(devices, (alice, bob))]
        other = program if theirs == "ours" else foreign(theirs)
        return Tunnel(pairs, two_hosts, program, other, made, **options)
    return make


@pytest.mark.parametrize("devices", [("go", "go"), ("ours", "go")], ids=lambda d: "-".join(d))
@pytest.mark.parametrize("theirs", ["ours", "rust"])
def test_a_tunnel_gets_its_keys(tunnel, theirs, devices):
    made = tunnel(theirs, devices)
    key = made.wait_equal()
    assert base64.b64decode(key) == made.running[0].osk()
    assert made.ping(count=20).lost == 0


@pytest.mark.long
@pytest.mark.parametrize("theirs", ["ours", "rust", "go"])
def test_ten_rotations_lose_nothing(tunnel, theirs):
    """Ours knows where the other end is, and that one waits. 22 minutes."""
    made = tunnel(theirs, ("go", "go"))
    key = made.wait_equal()
    running = start_ping(made.hosts[0], "10.9.0.2", interval=0.01)
    for _ in range(10):
        key = made.wait_equal(before=key, timeout=ROTATION_SECONDS + 20)
    result = running.finish()
    assert result.lost == 0 and result.received > 10_000


@pytest.mark.long
@pytest.mark.parametrize("theirs", ["ours", "rust", "go"])
def test_three_rotations_where_both_begin(tunnel, theirs):
    """Two Rust hosts that do so lose every packet for 280 s. Go's key may be another one than ours
    for a second or two, in which no packet is lost."""
    made = tunnel(theirs, ("go", "go"), both_begin=True)
    made.wait_equal()
    running = start_ping(made.hosts[0], "10.9.0.2", interval=0.01)
    end = time.monotonic() + 3 * ROTATION_SECONDS
    samples, changed, before = [], [], None
    while time.monotonic() < end:
        now, both = time.monotonic(), (made.psk(0), made.psk(1))
        if both != before:
            changed.append(now)
        samples.append((now, both[0] == both[1]))
        before = both
        time.sleep(0.2)
    unequal = [at for at, same in samples if not same and all(abs(at - c) > 1 for c in changed)]
    result = running.finish()
    print(f"{theirs}: {result.sent} sent, {result.lost} lost; {len(samples)} samples, "
          f"{len(unequal)} with unequal keys, {len(changed)} changes")
    assert result.lost == 0
    assert theirs == "go" or unequal == []


@pytest.mark.long
def test_a_key_that_nothing_replaces_is_overwritten(tunnel):
    made = tunnel("ours", ("go", "go"))
    key = made.wait_equal()
    made.running[1].stop()
    stale = labkit.wait_until(lambda: [line for line in lines(made.running[0]) if line[2] == "stale"],
                              LIFE_SECONDS + 20, "a stale key")
    assert len(stale) == 1
    assert base64.b64decode(made.psk(0)) == made.running[0].osk()
    assert made.psk(0) != key


def test_rp_makes_a_tunnel_in_four_commands(tun, two_hosts, program, tmp_path):
    alice, bob, link = two_hosts
    names = [unique_interface("rp"), unique_interface("rp")]
    for name in ("alice", "bob"):
        run(program, "rp", "genkey", tmp_path / name)
        run(program, "rp", "pubkey", tmp_path / name, tmp_path / f"{name}.public")
    running = []
    for number, (host, peer, name, other) in enumerate(((alice, bob, "alice", "bob"),
                                                        (bob, alice, "bob", "alice"))):
        words = ["rp", "verbose", "exchange", tmp_path / name, "dev", names[number], "ip",
                 f"10.9.0.{number + 1}/24", "listen", f"{link.end(host).v4}:9999", "peer",
                 tmp_path / f"{other}.public", "allowed-ips", f"10.9.0.{2 - number}/32"]
        if number == 0:
            words += ["endpoint", f"{link.end(peer).v4}:9999"]
        running.append(host.spawn(str(program.program), *map(str, words), name=f"rp-{name}"))
    running[0].wait_for("key exchanged", 20)
    running[1].wait_for("key exchanged", 20)
    assert ping(alice, "10.9.0.2", count=20, wait=10).received >= 15
    for process, host, name in zip(running, (alice, bob), names):
        assert process.stop() == 0
        labkit.wait_until(lambda host=host, name=name: not host.has_interface(name), 5,
                          "the interface to go")
