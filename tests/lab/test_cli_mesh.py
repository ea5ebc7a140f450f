"""`trellis up`, `down`, `logout` and `ping` with an agent that says what the test wants."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from labkit import find_program
from labkit.fake_agent import FakeAgent
from labkit.process import run

KEY = "A2C4E6F8-0123-4567-89AB-CDEF01234567"
SERVER = "https://192.0.2.9#sha256:" + "5a" * 32
STEPS = ["keys", "connect", "login", "network map"]


def status(state, *, done=0, network=None, peers=()):
    """An answer to `status`: a host in that state, with so many of its steps done."""
    steps = [{"name": name, "state": "done", "milliseconds": 5} for name in STEPS[:done]]
    if done < len(STEPS):
        steps.append({"name": STEPS[done], "state": "running"})
    return {"ok": True, "status": {
        "name": "alice", "interface": "trellis0", "addresses": ["100.93.1.2/16"],
        "listen_port": 51820, "mode": "strict", "warnings": [], "peers": list(peers),
        "network": {"state": state, "domain": "trellis.internal", "steps": steps,
                    "server": {}, **(network or {})}}}


@pytest.fixture
def agent(tmp_path):
    """Makes a fake agent from its answers to `status`, the last of which stays; "up" and so on
    are answered by what is given for them, {"ok": True} by default."""
    made = []

    def make(*statuses, **answers):
        left = list(statuses)

        def answer(request):
            if request["command"] != "status":
                return answers.get(request["command"], {"ok": True})
            return left.pop(0) if len(left) > 1 else left[0]

        made.append(FakeAgent(tmp_path / "trellisd.sock", answer))
        return made[-1]

    yield make
    for fake in made:
        fake.close()


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "setup.key"
    file.touch(mode=0o600)
    file.write_text(KEY + "\n")
    return file


def trellis(fake, *words, **options):
    return run([str(find_program("trellis")), *map(str, words), "--socket", str(fake.path)],
               check=False, **options)


def test_up_shows_its_steps_and_ends_when_the_map_is_in_force(agent, key_file):
    fake = agent(status("connecting", done=1), status("logging in", done=2),
                 status("up", done=4, peers=[{"name": "bob"}]))
    result = trellis(fake, "up", "--server", SERVER, "--setup-key-file", key_file, "--hostname",
                     "alice", "--permissive")
    assert result.returncode == 0, result
    assert result.stdout == "up: alice.trellis.internal, 100.93.1.2/16, 1 peer\n"
    assert [line.split()[0] for line in result.stderr.splitlines()] == [
        "keys", "connect", "login", "network"]
    assert fake.asked("up") == {"command": "up", "server": SERVER, "setup_key": KEY,
                                "hostname": "alice", "mode": "permissive"}


@pytest.mark.parametrize("words, environment, typed, warns", [
    (["--setup-key-file", "-"], {}, KEY + "\n", False),
    ([], {"TRELLIS_SETUP_KEY": KEY}, None, False),
    (["--setup-key", KEY], {}, None, True),
], ids=["standard input", "environment", "command line"])
def test_up_takes_the_setup_key_from(agent, words, environment, typed, warns):
    fake = agent(status("up", done=4))
    result = trellis(fake, "up", "--server", SERVER, *words, env=environment, input=typed)
    assert result.returncode == 0, result
    assert fake.asked("up")["setup_key"] == KEY
    assert ("use --setup-key-file" in result.stderr) == warns
    assert KEY not in result.stdout + result.stderr


def test_up_again_asks_for_nothing_that_was_not_said(agent):
    fake = agent(status("up", done=4))
    assert trellis(fake, "up").returncode == 0
    assert fake.asked("up") == {"command": "up"}


def test_up_speaks_json(agent, key_file):
    fake = agent(status("connecting"), status("up", done=4))
    result = trellis(fake, "up", "--server", SERVER, "--setup-key-file", key_file, "--json")
    assert result.returncode == 0 and result.stderr == ""
    answer = json.loads(result.stdout)
    assert answer["ok"] and answer["name"] == "alice" and answer["network"]["state"] == "up"
    assert 0 < answer["seconds"] < 5


def test_up_says_why_the_server_refuses(agent, key_file):
    why = "the setup key is wrong, expired or used up: ask your administrator for a new one"
    fake = agent(status("logging in", done=2), status("refused", done=2, network={"error": why}))
    result = trellis(fake, "up", "--server", SERVER, "--setup-key-file", key_file)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.endswith(f"trellis: {why}\n")


def test_up_gives_up_waiting_after_its_timeout_and_tells_the_last_error(agent):
    why = "cannot reach 192.0.2.9:443: Connection refused"
    fake = agent(status("connecting", network={"server": {"error": why}}))
    started = time.monotonic()
    result = trellis(fake, "up", "--server", SERVER, "--timeout", "0.5")
    assert 0.4 < time.monotonic() - started < 3
    assert result.returncode == 1 and result.stdout == ""
    assert f"  {why}; trying again\n" in result.stderr
    assert f"not up after 0.5 s: {why}" in result.stderr and "trellis status" in result.stderr


def test_up_passes_on_what_the_agent_refuses(agent):
    fake = agent(status("down"), up={"ok": False, "error": "only root may do that"})
    result = trellis(fake, "up", "--server", SERVER)
    assert result.returncode == 1 and result.stderr == "trellis: only root may do that\n"
    assert fake.commands() == ["up"]


@pytest.mark.parametrize("content", ["", "two words", "x" * 300])
def test_a_bad_setup_key_file_is_refused_before_anything_is_asked(agent, key_file, content):
    fake = agent(status("up"))
    key_file.write_text(content)
    result = trellis(fake, "up", "--server", SERVER, "--setup-key-file", key_file)
    assert result.returncode == 1 and "setup key" in result.stderr
    assert fake.requests == []


@pytest.mark.parametrize("answer", [b"nonsense\n", b"{}\n", b'{"ok": true}\n'])
def test_up_survives_an_agent_of_another_version(agent, answer):
    fake = agent(answer)
    result = trellis(fake, "up")
    assert result.returncode == 1 and "trellisd" in result.stderr


def test_down_and_logout(agent):
    fake = agent(status("up"), status("up"), status("down"))
    assert "trellis up" in trellis(fake, "down").stdout
    result = trellis(fake, "logout", "--force")
    assert result.returncode == 0 and "logged out" in result.stdout
    assert fake.asked("logout") == {"command": "logout", "force": True}


def test_ping_says_who_may_be_meant(agent):
    fake = agent(status("up", done=4, peers=[{"name": "bob", "addresses": ["100.93.1.3"]}]))
    result = trellis(fake, "ping", "bbo")
    assert result.returncode == 1 and 'did you mean "bob"?' in result.stderr


def test_ping_shows_each_answer(agent):
    """To loopback, which answers without any tunnel."""
    peer = {"name": "bob", "addresses": ["127.0.0.1", "::1"], "post_quantum": True,
            "protection": "post-quantum", "path": {"kind": "direct", "address": "192.0.2.2:51820"}}
    fake = agent(status("up", done=4, peers=[peer]))
    if trellis(fake, "ping", "bob", "-c", "1").returncode != 0:
        pytest.skip("this user may not ping")
    result = trellis(fake, "ping", "bob", "-c", "3", "-i", "0")
    lines = result.stdout.splitlines()
    assert len(lines) == 4 and lines[3].startswith("3 sent, 3 answered; ")
    assert lines[0].startswith("bob 127.0.0.1: ")
    assert lines[0].endswith(" ms, direct 192.0.2.2:51820, post-quantum")
    answer = json.loads(trellis(fake, "ping", "-6", "bob", "-c", "2", "-i", "0", "--json").stdout)
    assert (answer["address"], answer["sent"], answer["received"]) == ("::1", 2, 2)
    assert all(a["post_quantum"] and a["milliseconds"] < 1000 for a in answer["answers"])


def test_ping_fails_when_nobody_answers_and_says_why(agent):
    peer = {"name": "bob", "addresses": ["127.1.2.3"], "why_not": "no path yet"}
    fake = agent(status("up", done=4, peers=[peer]))
    if os.geteuid() != 0:
        pytest.skip("wants a network namespace")
    # In a namespace whose loopback is down, nothing answers.
    result = run(["unshare", "--net", str(find_program("trellis")), "ping", "bob", "-c", "1",
                  "--socket", str(fake.path)], check=False)
    assert result.returncode == 1 and result.stderr != ""


# ---- starting the agent --------------------------------------------------------------------------


@pytest.fixture
def programs():
    """A folder with our trellis, and a trellisd that the test writes."""
    folder = Path(tempfile.mkdtemp(prefix="trellis-lab-"))
    shutil.copy(find_program("trellis"), folder / "trellis")

    def write(script):
        (folder / "trellisd").write_text("#!/bin/sh\n" + script)
        (folder / "trellisd").chmod(0o755)
        return folder / "trellis"

    yield write
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts agents")
def test_up_starts_the_agent_and_waits_for_its_socket(programs, tmp_path):
    """The agent here is the fake one, which is moved to its place by the program."""
    hidden, shown = tmp_path / "hidden", tmp_path / "run" / "trellisd.sock"
    fake = FakeAgent(hidden, lambda request: status("up", done=4) if request["command"] == "status"
                     else {"ok": True})
    program = programs(f'echo "started with $*" >&2; echo noise; (sleep 0.2; mv {hidden} {shown}) '
                       '>/dev/null 2>&1 &\n')
    try:
        result = run([str(program), "up", "--server", SERVER, "--socket", str(shown), "--state",
                      str(tmp_path / "state")], check=False)
        assert result.returncode == 0, result
        assert fake.asked("up")["server"] == SERVER
        log = (tmp_path / "run" / "trellisd.log").read_text()
        assert log == f"started with --state {tmp_path / 'state'} --socket {shown}\n"
        assert "noise" not in result.stdout + result.stderr
    finally:
        fake.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts agents")
def test_up_tells_why_the_agent_does_not_start(programs, tmp_path):
    program = programs('echo "trellisd: no /dev/net/tun: load the module" >&2; exit 1\n')
    words = [str(program), "up", "--server", SERVER, "--socket", str(tmp_path / "s"), "--state",
             str(tmp_path)]
    for _ in range(2):  # what an earlier run said is not repeated
        result = run(words, check=False)
        assert result.returncode == 1
        assert result.stderr.count("no /dev/net/tun: load the module") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts agents")
def test_up_ends_although_the_agent_goes_on(programs, tmp_path):
    """The agent must not hold the pipe into which `trellis up` speaks."""
    program = programs("(exec sleep 30) &\necho $! > " + str(tmp_path / "pid") + "\nexit 1\n")
    started = time.monotonic()
    subprocess.run([program, "up", "--socket", tmp_path / "s", "--state", tmp_path],
                   capture_output=True, timeout=20)
    assert time.monotonic() - started < 10
    os.kill(int((tmp_path / "pid").read_text()), 15)
