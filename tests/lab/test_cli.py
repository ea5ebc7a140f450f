"""The command lines of our programs: keys made once and kept, and clear errors."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from labkit import find_program
from labkit.fixtures import NOBODY
from labkit.process import run
from labkit.programs import REPOSITORY
from labkit.wireguard import trellis_wg, unique_interface

KEY_FILES = {"wireguard.key": 0o600, "rosenpass.key": 0o600, "rosenpass.pub": 0o644}


def trellis(*arguments, prefix=(), program=None):
    argv = [*prefix, str(program or find_program("trellis")), *map(str, arguments)]
    return run(argv, check=False)


def refused(result, *parts, status=1):
    """It failed, said why on standard error, and printed nothing else."""
    assert result.returncode == status, result
    assert result.stdout == ""
    for part in parts:
        assert part in result.stderr, result.stderr
    assert "terminate called" not in result.stderr and "CHECK" not in result.stderr
    return result


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def keys(state):
    """A state folder with keys."""
    assert trellis("keys", "new", "--state", state).returncode == 0
    return state


def contents(folder):
    return {name: (folder / name).read_bytes() for name in KEY_FILES}


# ---- keys --------------------------------------------------------------------------------------


def test_keys_are_made_once_with_the_right_modes(keys):
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    for name, mode in KEY_FILES.items():
        assert stat.S_IMODE((keys / name).stat().st_mode) == mode
    before = contents(keys)
    refused(trellis("keys", "new", "--state", keys), "already", "never replaced")
    refused(trellis("keys", "new", "--force", "--state", keys), "--force", status=2)
    assert contents(keys) == before
    assert not [name for name in os.listdir(keys) if name not in {*KEY_FILES, "lock"}]


def test_keys_new_prints_no_secret(state):
    made = trellis("keys", "new", "--state", state)
    secret = (state / "wireguard.key").read_text().strip()
    shown = trellis("keys", "show", "--state", state)
    for result in (made, shown):
        assert secret not in result.stdout + result.stderr


def test_keys_show_agrees_with_wg_and_its_block_is_toml(keys):
    shown = json.loads(trellis("keys", "show", "--json", "--state", keys).stdout)
    private = (keys / "wireguard.key").read_text()
    assert shown["wireguard_key"] == run(["wg", "pubkey"], input=private).stdout.strip()
    assert shown["rosenpass_key"].startswith("1:") and len(shown["rosenpass_key"]) == 66
    assert shown["rosenpass_public_file"] == str(keys / "rosenpass.pub")
    peer = tomllib.loads(shown["peer_block"])["peer"][0]
    assert peer["wireguard_key"] == shown["wireguard_key"]
    text = trellis("keys", "show", "--state", keys).stdout
    for part in (shown["wireguard_key"], shown["rosenpass_key"], shown["peer_block"]):
        assert part in text


def test_keys_export_copies_the_public_key(keys, tmp_path):
    target = tmp_path / "alice.pub"
    assert trellis("keys", "export", "--rosenpass-public", target, "--state", keys).returncode == 0
    public = (keys / "rosenpass.pub").read_bytes()
    assert target.read_bytes() == public and stat.S_IMODE(target.stat().st_mode) == 0o644
    piped = subprocess.run([find_program("trellis"), "keys", "export", "--rosenpass-public", "-",
                            "--state", keys], capture_output=True, timeout=30)
    assert piped.stdout == public
    with open("/dev/full", "wb") as full:
        assert subprocess.run([find_program("trellis"), "keys", "export", "--rosenpass-public",
                               "-", "--state", keys], stdout=full, timeout=30,
                              stderr=subprocess.DEVNULL).returncode == 1


def test_without_keys_it_says_how_to_make_them(state):
    refused(trellis("keys", "show", "--state", state), "trellis keys new --state")
    assert not state.exists()


@pytest.mark.parametrize("damage, parts", [
    (lambda s: (s / "wireguard.key").chmod(0o640), ("wireguard.key", "chmod 600")),
    (lambda s: (s / "rosenpass.key").chmod(0o604), ("rosenpass.key", "chmod 600")),
    (lambda s: (s / "wireguard.key").write_text("AAAA\n"), ("wireguard.key", "base64")),
    (lambda s: (s / "wireguard.key").write_bytes(b""), ("wireguard.key",)),
    (lambda s: (s / "rosenpass.key").write_bytes(b"x" * 13607), ("rosenpass.key", "13607")),
    (lambda s: (s / "rosenpass.key").write_bytes(bytes(13608)), ("do not belong together",)),
    (lambda s: (s / "rosenpass.pub").write_bytes(b"x" * 524161), ("rosenpass.pub", "524161")),
    (lambda s: (s / "rosenpass.pub").unlink(), ("rosenpass.pub",)),
    (lambda s: (s / "rosenpass.key").unlink(), ("rosenpass.key",)),
], ids=["group", "others", "short", "empty", "rp-short", "rp-zero", "pub-long", "no-pub", "no-key"])
def test_damaged_keys_are_named_and_never_made_anew(keys, damage, parts):
    damage(keys)
    before = {p.name: p.read_bytes() for p in keys.iterdir()}
    refused(trellis("keys", "show", "--state", keys), *parts)
    refused(trellis("keys", "new", "--state", keys))
    assert {p.name: p.read_bytes() for p in keys.iterdir() if p.name != "lock"} == {
        name: content for name, content in before.items() if name != "lock"}


def test_a_state_folder_that_others_may_enter_is_refused(state):
    state.mkdir(mode=0o755)
    refused(trellis("keys", "new", "--state", state), "chmod 700")
    assert os.listdir(state) == []


def test_two_at_once_make_one_set_of_keys(state):
    processes = [subprocess.Popen([find_program("trellis"), "keys", "new", "--state", state],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                 for _ in range(4)]
    outcomes = [process.communicate(timeout=60) for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1, 1, 1], outcomes
    assert trellis("keys", "show", "--state", state).returncode == 0


def test_a_kill_at_any_moment_leaves_a_folder_that_keys_new_can_finish(state):
    for number in range(12):
        folder = state.with_name(f"state{number}")
        process = subprocess.Popen([find_program("trellis"), "keys", "new", "--state", folder],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.004 * number)
        process.kill()
        process.wait(10)
        if not (folder / "wireguard.key").exists():
            assert trellis("keys", "new", "--state", folder).returncode == 0
        assert trellis("keys", "show", "--state", folder).returncode == 0


@pytest.mark.parametrize("kilobytes", [16, 256, 512, 516, 520, 524, 528, 532, 536, 1200])
def test_a_full_disk_leaves_all_keys_or_none(tmp_path, kilobytes):
    """In a mount namespace of its own, so nothing stays mounted whatever happens."""
    folder = tmp_path / "tiny"
    folder.mkdir(mode=0o700)
    listing = tmp_path / "listing"
    script = ('mount -t tmpfs -o "size=$2k,mode=0700" tmpfs "$1" && "$3" keys new --state "$1"; '
              'status=$?; ls -A "$1" > "$4"; exit $status')
    result = run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
                  str(folder), str(kilobytes), str(find_program("trellis")), str(listing)],
                 check=False)
    names = set(listing.read_text().split()) - {"lock"}
    if result.returncode == 0:
        assert names == set(KEY_FILES)
    else:
        refused(result, "disk is full")
        assert names == set()
    assert (kilobytes < 520) <= (result.returncode == 1) and (kilobytes > 1000) <= (
        result.returncode == 0)


def test_without_permission_it_says_what_to_do(for_nobody, keys):
    program = for_nobody("trellis")
    refused(trellis("keys", "new", "--state", "/var/lib/trellis-lab-none", prefix=NOBODY,
                    program=program), "/var/lib/trellis-lab-none")
    refused(trellis("status", "--socket", keys / "none.sock", prefix=NOBODY, program=program),
            "none.sock")


# ---- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, parts", [
    (["staus"], ['"staus"', 'did you mean "status"?', "trellis --help"]),
    (["status", "--jsno"], ['"--jsno"', 'did you mean "--json"?', "trellis status --help"]),
    (["status", "extra"], ['"extra"', "trellis status --help"]),
    (["keys"], ["trellis keys --help"]),
    (["peers", "trust"], ["NAME", "trellis peers trust --help"]),
    (["keys", "export"], ["--rosenpass-public"]),
    (["completion", "ksh"], ["bash, zsh or fish"]),
    ([], ["Usage: trellis"]),
])
def test_a_wrong_command_line_is_explained(arguments, parts):
    refused(trellis(*arguments), *parts, status=2)


@pytest.mark.parametrize("words", [[], ["keys"], ["keys", "new"], ["keys", "show"],
                                   ["keys", "export"], ["status"], ["peers"], ["peers", "trust"],
                                   ["up"], ["down"], ["logout"], ["ping"],
                                   ["reload"], ["completion"], ["version"]])
def test_help_is_everywhere_and_has_an_example(words):
    result = trellis(*words, "--help")
    assert result.returncode == 0 and result.stderr == ""
    assert "Example: trellis" in result.stdout and "Exit status:" in result.stdout


def test_version_names_the_libraries():
    lines = dict(line.split(" ", 1) for line in trellis("version").stdout.splitlines())
    assert set(lines) == {"trellis", "OpenSSL", "libsodium", "libmceliece"}
    assert lines["OpenSSL"].startswith("3.") and all(lines.values())
    assert trellis("--version").stdout.strip() == lines["trellis"]


def test_status_tells_that_nobody_listens(tmp_path):
    for command in (["status"], ["peers"], ["reload"], ["peers", "trust", "bob"], ["down"],
                    ["logout"], ["ping", "bob"]):
        refused(trellis(*command, "--socket", tmp_path / "none.sock"), "none.sock", "trellisd",
                "systemctl start trellisd")
    left = tmp_path / "left.sock"  # by a killed agent
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(left))
    refused(trellis("status", "--socket", left), "left.sock", "systemctl start trellisd")


def completed(script, *words):
    """What bash offers for the last word."""
    line = " ".join(f"'{word}'" for word in words)
    return run(["bash", "-c", f'source "$1"; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; '
                '_trellis; printf "%s\\n" "${COMPREPLY[@]}"', "bash", str(script)]).stdout.split()


def test_bash_completes_commands_and_options(tmp_path):
    script = tmp_path / "trellis.bash"
    script.write_text(trellis("completion", "bash").stdout)
    assert completed(script, "trellis", "st") == ["status"]
    assert completed(script, "trellis", "keys", "") == ["new", "show", "export", "-h", "--help"]
    assert completed(script, "trellis", "keys", "new", "--s") == ["--state"]
    assert completed(script, "trellis", "peers", "--json", "t") == ["trust"]
    assert completed(script, "trellis", "completion", "z") == ["zsh"]


# ---- trellis-wg ----------------------------------------------------------------------------------


def device(host, *arguments, prefix=(), program=None):
    return host.run(*prefix, str(program or find_program("trellis-wg")), *arguments, check=False,
                    timeout=20)


def test_trellis_wg_says_what_it_lacks(lab, tun, for_nobody):
    host = lab.host("alice")
    name = unique_interface()
    refused(device(host), "NAME", status=2)
    refused(device(host, name, "--frground"), 'did you mean "--foreground"?', status=2)
    refused(device(host, "a/b"), "a/b", "name of an interface")
    refused(device(host, "much-too-long-a-name"), "15")
    program = for_nobody("trellis-wg")
    refused(device(host, name, prefix=NOBODY, program=program), "root")
    hide = ("unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount -t tmpfs tmpfs /dev/net && exec "$@"', "sh")
    refused(device(host, name, prefix=hide), "/dev/net/tun", "modprobe tun")
    assert not host.has_interface(name)
    assert not Path(f"/var/run/wireguard/{name}.sock").exists()


def pid_of_daemon(name):
    found = []
    for folder in Path("/proc").iterdir():
        try:
            argv = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if folder.name.isdigit() and argv[0].endswith(b"/trellis-wg") and name.encode() in argv:
            found.append(int(folder.name))
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("end", ["signal", "interface", "socket"])
def test_trellis_wg_goes_to_the_background_and_ends_cleanly(lab, tun, end):
    host = lab.host("alice")
    name = unique_interface()
    control = Path(f"/var/run/wireguard/{name}.sock")
    started = device(host, name)
    assert started.returncode == 0, started
    pid = pid_of_daemon(name)
    try:
        # The parent left only when all was there.
        assert host.has_interface(name) and stat.S_ISSOCK(control.stat().st_mode)
        assert stat.S_IMODE(control.stat().st_mode) == 0o600
        assert f"interface: {name}" in host.run("wg", "show", name).stdout
        refused(device(host, name), name)
        if end == "signal":
            os.kill(pid, 15)
        elif end == "interface":
            host.ip("link", "delete", name)
        else:
            control.unlink()
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not os.path.exists(f"/proc/{pid}/exe")
        assert not host.has_interface(name) and not control.exists()
    finally:
        if Path(f"/proc/{pid}/exe").exists():
            os.kill(pid, 9)
            control.unlink(missing_ok=True)


def test_a_port_in_use_is_refused_and_the_device_goes_on(lab, tun):
    host = lab.host("alice")
    made = trellis_wg(host, find_program("trellis-wg"))
    other = trellis_wg(host, find_program("trellis-wg"))
    made.set("listen-port", "51820")
    result = host.run("wg", "set", other.name, "listen-port", "51820", check=False)
    assert result.returncode != 0 and "in use" in result.stderr
    assert "51820" in other.process.text()
    assert made.show().listen_port == 51820 != other.show().listen_port > 0


# ---- trellisd ------------------------------------------------------------------------------------


def agent(*arguments, prefix=(), program=None, host=None):
    argv = [*prefix, str(program or find_program("trellisd")), *map(str, arguments)]
    return host.run(*argv, check=False, timeout=20) if host else run(argv, check=False)


def write_peers(folder, text):
    path = folder / "peers.toml"
    path.write_text(text)
    return path


HOST = '[host]\nname = "alice"\naddresses = ["100.71.0.1/24", "fd71:7e11:15::1/64"]\n'


@pytest.mark.parametrize("text, parts", [
    ("[host\n", ("line 1, column",)),
    (HOST + "lissten_port = 3\n", ("line 4, column 1", "listen_port")),
    (HOST + 'listen_port = "3"\n', ("line 4, column", "listen_port")),
    (HOST.replace("100.71.0.1/24", "100.71.0.1/44"), ("line 3, column 14", "/16")),
    (HOST + '[[peer]]\nname = "bob"\naddresses = ["100.71.0.2"]\nwireguard_key = "AAAA"\n',
     ("line 7, column 17", "44 characters")),
], ids=["syntax", "unknown", "type", "address", "key"])
def test_a_wrong_list_of_peers_is_refused_with_its_place(keys, tmp_path, text, parts):
    path = write_peers(tmp_path, text)
    refused(agent("--static", path, "--state", keys, "--check"), "peers.toml", *parts)


def test_the_example_is_in_order(keys, tmp_path):
    text = (REPOSITORY / "docs/examples/peers.toml").read_text()
    files = re.findall(r'^rosenpass_key = "(.+?)"', text, re.MULTILINE)
    assert len(files) == text.count("\n[[peer]]") == 2
    for number, file in enumerate(files):
        peer = tmp_path / f"peer{number}"
        trellis("keys", "new", "--state", peer)
        text = text.replace(file, f"{peer}/rosenpass.pub")
    path = write_peers(tmp_path, text)
    checked = agent("--static", path, "--state", keys, "--check")
    assert checked.returncode == 0, checked.stderr


def test_trellisd_says_what_it_lacks(lab, tun, keys, tmp_path, for_nobody):
    host = lab.host("alice")
    path = write_peers(tmp_path, HOST)
    usual = ("--static", path, "--state", keys, "--socket", tmp_path / "a.sock", "--foreground")
    assert agent("--static", path, "--state", keys, "--check").returncode == 0
    refused(agent(*usual, "--statc", path), "--statc", status=2)
    refused(agent("--static", tmp_path / "none.toml", "--state", keys, "--check"), "none.toml")
    refused(agent("--static", path, "--state", tmp_path / "empty", "--check"), "trellis keys new")
    program = for_nobody("trellisd")
    assert agent(*usual, prefix=NOBODY, program=program).returncode == 1
    hide = ("unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount -t tmpfs tmpfs /dev/net && exec "$@"', "sh")
    result = agent(*usual, prefix=hide, host=host)
    assert result.returncode == 1 and "/dev/net/tun" in result.stderr
    blocker = host.spawn("python3", "-c", "import socket, time\n"
                         "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                         "s.bind(('0.0.0.0', 51820))\nprint('bound', flush=True)\n"
                         "time.sleep(60)", name="blocker")
    blocker.wait_for("bound", 10)
    result = agent(*usual, host=host)
    assert result.returncode == 1 and "51820" in result.stderr
    assert not host.has_interface("trellis0")
    assert "unreachable" not in host.ip("route", "show", "table", "all")
