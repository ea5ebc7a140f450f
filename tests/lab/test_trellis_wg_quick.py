"""trellis-wg by the words that people know: a tutorial's seven steps, and wg-quick."""

import re
from pathlib import Path

import pytest

import labkit
from labkit import classify, ping, wait_until
from labkit.terminal import Terminal

KEY = r"[A-Za-z0-9+/]{43}="
FARAWAY = {"v4": "198.51.100.7", "v6": "2001:db8:ffff::7"}  # behind bob


@pytest.fixture
def terminals(tun, two_hosts):
    """A root's shell on alice and one on bob, with trellis-wg installed."""
    for tool in ("wg", "nsenter"):
        labkit.find_tool(tool)
    program = labkit.find_program("trellis-wg")
    alice, bob, _ = two_hosts
    machine = Path("/etc/resolv.conf").read_bytes()
    yield Terminal(alice, program), Terminal(bob, program)
    assert Path("/etc/resolv.conf").read_bytes() == machine


def test_the_seven_steps_of_the_tutorials_work_word_for_word(terminals, two_hosts):
    alice, bob = terminals
    _, _, link = two_hosts
    inner = {alice: "10.0.0.1", bob: "10.0.0.2"}
    for shell in terminals:
        shell("umask 077; wg genkey > privatekey")                               # 1
        shell("wg pubkey < privatekey > publickey")                              # 2
        shell("trellis-wg wg0")                                                  # 3
        shell(f"ip address add dev wg0 {inner[shell]}/24")                       # 4
    public = {shell: shell("cat publickey").strip() for shell in terminals}
    for shell, peer in ((alice, bob), (bob, alice)):
        shell(f"wg set wg0 listen-port 51820 private-key ./privatekey peer {public[peer]} "
              f"allowed-ips {inner[peer]}/32 endpoint {link.end(peer.host).v4}:51820")  # 5
        shell("ip link set up dev wg0")                                          # 6
    assert " 0% packet loss" in alice("ping -c 3 -i 0.2 10.0.0.2")               # 7
    for shell, peer in ((alice, bob), (bob, alice)):
        shown = shell("wg")
        assert re.search(
            rf"^interface: wg0\n  public key: {re.escape(public[shell])}\n"
            rf"  private key: \(hidden\)\n  listening port: 51820\n\n"
            rf"peer: {re.escape(public[peer])}\n"
            rf"  endpoint: {link.end(peer.host).v4}:51820\n"
            rf"  allowed ips: {inner[peer]}/32\n"
            rf"  latest handshake: (Now|\d+ seconds? ago)\n"
            rf"  transfer: \d.* received, \d.* sent\n$", shown), shown
    for shell in terminals:
        shell("ip link del wg0")
        wait_until(lambda: not shell("ls /run/wireguard"), 5, "the control socket is gone")


def works(shell, command: str) -> bool:
    return shell.run(command, check=False).returncode == 0


@pytest.fixture
def quick(terminals, two_hosts):
    """Both shells, with what `wg-quick up` asks for; bob is the way to everywhere."""
    for tool in ("wg-quick", "bash"):
        labkit.find_tool(tool)
    alice, bob = terminals
    if not any(works(alice, command) for command in ("nft list tables", "iptables-save")):
        pytest.skip("wg-quick needs nft or iptables, and one that works")
    if works(alice, "ip link add wgprobe type wireguard"):
        alice("ip link del wgprobe")
        pytest.skip("the kernel has WireGuard, so wg-quick uses that one")
    for shell in terminals:
        shell.env["WG_QUICK_USERSPACE_IMPLEMENTATION"] = "trellis-wg"
        shell("umask 077; wg genkey | tee privatekey | wg pubkey > publickey")
    for address in FARAWAY.values():
        bob.host.ip("addr", "add", address, "dev", "lo")
    return terminals


def config(shell, name: str, text: str) -> Path:
    file = shell.folder / f"{name}.conf"
    file.touch(mode=0o600)
    file.write_text(text.replace("PRIVATE", shell("cat privatekey").strip()))
    return file


def gateway(bob, alice) -> Path:
    return config(bob, "wg0", f"""[Interface]
Address = 10.9.0.1/24, fd09::1/64
PrivateKey = PRIVATE
ListenPort = 51820

[Peer]
PublicKey = {alice("cat publickey").strip()}
AllowedIPs = 10.9.0.2/32, fd09::2/128
""")


def full_tunnel(alice, bob, link, more: str = "") -> Path:
    return config(alice, "office", f"""# Everything goes through the office.
[Interface]
Address = 10.9.0.2/24
Address = fd09::2/64
PrivateKey = PRIVATE
DNS = 10.9.0.1, fd09::1, office.example
MTU = 1380
{more}
PostUp = echo "%i is up" > {alice.folder}/up; wg show %i fwmark > {alice.folder}/mark
PreDown = wg show %i latest-handshakes > {alice.folder}/last
PostDown = echo "%i is down" > {alice.folder}/down

[Peer]
PublicKey = {bob("cat publickey").strip()}
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = {link.end(bob.host).v4}:51820
PersistentKeepalive = 25
""")


def state(shell) -> list[str]:
    """All that wg-quick may change on a host."""
    return [shell(command) for command in (
        "ip -br link", "ip -br addr", "ip -4 rule", "ip -6 rule", "ip -4 route show table all",
        "ip -6 route show table all", "nft list ruleset", "cat /etc/resolv.conf",
        "ls /run/wireguard")]


def test_wg_quick_leads_everything_through_the_tunnel_and_back(lab, quick, two_hosts):
    alice, bob = quick
    _, _, link = two_hosts
    before = {shell: state(shell) for shell in quick}
    office, wg0 = full_tunnel(alice, bob, link), gateway(bob, alice)
    said = bob(f"wg-quick up {wg0}") + alice(f"wg-quick up {office}")
    assert said.count("[#] trellis-wg") == 2, said

    assert set(alice.host.addresses("office")) == {"10.9.0.2/24", "fd09::2/64"}
    assert "mtu 1380" in alice("ip link show office")
    assert alice("cat /etc/resolv.conf") == (
        "nameserver 10.9.0.1\nnameserver fd09::1\nsearch office.example\n")
    assert alice("cat up") == "office is up\n" and int(alice("cat mark"), 0) == 51820
    assert "not from all fwmark 0xca6c lookup 51820" in alice("ip -4 rule")

    capture = lab.capture(alice.host, link, "ip or ip6")
    for address in (*FARAWAY.values(), "10.9.0.1", "fd09::1"):
        assert ping(alice.host, address, count=3, interval=0.2, size=1300, wait=3).lost == 0
    seen = capture.stop().datagrams()
    assert seen and all(classify(d.payload).startswith("wireguard-") for d in seen)

    alice(f"wg-quick down {office}")
    key, handshake = alice("cat last").split()
    assert key == bob("cat publickey").strip() and int(handshake) > 0
    assert alice("cat down") == "office is down\n"
    bob(f"wg-quick down {wg0}")
    for shell in quick:
        wait_until(lambda: state(shell) == before[shell], 5, f"{shell.host} is as it was")


def test_wg_syncconf_changes_what_differs_and_disturbs_no_session(quick, two_hosts):
    alice, bob = quick
    _, _, link = two_hosts
    # What the file does not say, syncconf resets: a mark and a port that wg-quick chose.
    office = full_tunnel(alice, bob, link, "FwMark = 0xca6c\nListenPort = 51999")
    bob(f"wg-quick up {gateway(bob, alice)}")
    alice(f"wg-quick up {office}")
    assert ping(alice.host, "10.9.0.1", count=1, wait=3).lost == 0
    first, handshake = bob("cat publickey").strip(), alice("wg show office latest-handshakes")
    other = alice("wg genkey | wg pubkey").strip()
    text = office.read_text()
    sync = f"wg-quick strip {office} >stripped && wg syncconf office stripped"

    office.write_text(f"{text}[Peer]\nPublicKey = {other}\nAllowedIPs = 10.10.0.0/16\n")
    alice(sync)
    assert set(alice("wg show office peers").split()) == {first, other}
    office.write_text(text.replace("PersistentKeepalive = 25", "PersistentKeepalive = 7"))
    alice(sync)
    assert alice("wg show office persistent-keepalive") == f"{first}\t7\n"
    assert alice("wg show office latest-handshakes") == handshake
    assert alice("wg show office listen-port") == "51999\n"
    assert ping(alice.host, FARAWAY["v4"], count=1, wait=3).lost == 0
    assert alice("wg show office latest-handshakes") == handshake


def test_wg_quick_uses_the_table_that_it_is_told(quick, two_hosts):
    alice, bob = quick
    before = alice("ip -4 route"), alice("ip -4 rule")
    file = config(alice, "side", f"""[Interface]
Address = 10.9.0.2/32
PrivateKey = PRIVATE
Table = 1234
FwMark = 0x77

[Peer]
PublicKey = {bob("cat publickey").strip()}
AllowedIPs = 0.0.0.0/0
""")
    alice(f"wg-quick up {file}")
    assert "default dev side" in alice("ip -4 route show table 1234")
    assert (alice("ip -4 route"), alice("ip -4 rule")) == before
    assert alice("wg show side fwmark").strip() == "0x77"
    alice(f"wg-quick down {file}")
    assert not alice.run("ip -4 route show table 1234", check=False).stdout.startswith("default")


def test_wg_quick_leaves_nothing_when_the_configuration_is_wrong(quick):
    alice, _ = quick
    before = state(alice)
    file = config(alice, "wrong", "[Interface]\nPrivateKey = PRIVATE\nAddress = 10.9.0.300/24\n")
    assert alice.run(f"wg-quick up {file}", check=False).returncode != 0
    wait_until(lambda: state(alice) == before, 5, "all is as it was")
