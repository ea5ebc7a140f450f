"""The virtual machine that lends its kernel to the tests: it judges only what it is told right."""

import threading

import kernel_image
import pytest
from kernel_image import Archive, Unavailable
from labkit import CommandFailed, ping

pytestmark = pytest.mark.usefixtures("kernel_wireguard")  # before `lab`: it outlives the test


@pytest.fixture
def guest(foreign_wireguard):
    return foreign_wireguard.guest


def test_commands_tell_output_and_status(guest):
    assert guest.run("uname", "-r").stdout.strip() == guest.image.release
    assert guest.shell("echo 'a  b'; exit 7") == (7, "a  b\n")
    assert guest.run("cat", input="x 'y'\n").stdout == "x 'y'\n"
    with pytest.raises(CommandFailed, match="exit status 1"):
        guest.run("false")


def test_long_output_arrives_whole(guest):
    text = guest.run("seq", "1", "30000").stdout
    assert text.split() == [str(number) for number in range(1, 30001)]


def test_many_may_ask_at_once(guest):
    found = {}

    def ask(number: int) -> None:
        found[number] = guest.run("echo", str(number)).stdout.strip()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: str(number) for number in range(20)}


def test_programs_run_beside_commands_and_end(guest):
    host = guest.host("bob")
    try:
        program = host.spawn("sh", "-c", "echo begun; sleep 60")
        program.wait_for("begun")
        assert program.running
        program.stop()
        assert not program.running
    finally:
        host.close()
    assert host.namespace not in guest.run("ip", "netns", "list").stdout


def test_it_is_reached_over_its_cable(guest):
    for address in (guest.v4, guest.v6):
        assert ping(guest.router, address, count=2, interval=0.1).lost == 0


def test_without_a_tool_it_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(kernel_image, "_tool", lambda name: None)
    with pytest.raises(Unavailable, match="qemu-system-x86_64 is not installed"):
        kernel_image.image()


def test_an_archive_has_folders_before_what_is_in_them():
    archive = Archive()
    archive.file("a/b/c", b"12345")
    archive.link("a/d", "b/c")
    archive.file("a/b/c", b"a second one is not taken")
    packed, names, at = archive.packed(), [], 0
    while at < len(packed):
        assert packed[at:at + 6] == b"070701" and at % 4 == 0
        fields = [int(packed[at + 6 + 8 * n:at + 14 + 8 * n], 16) for n in range(13)]
        size, name_size = fields[6], fields[11]
        names.append((packed[at + 110:at + 109 + name_size].decode(), fields[1] >> 12, size))
        at += -(-(110 + name_size) // 4) * 4
        at += -(-size // 4) * 4
    assert names == [("a", 4, 0), ("a/b", 4, 0), ("a/b/c", 8, 5), ("a/d", 10, 3),
                     ("TRAILER!!!", 0, 0)]
