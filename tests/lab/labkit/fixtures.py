"""Fixtures and hooks for folders of tests that use the lab. Their conftest.py takes all of it:

    sys.path.insert(0, FOLDER_OF_THE_LABKIT)
    from labkit.fixtures import *

Without root, namespaces or /dev/net/tun the tests that ask for the fixtures are skipped.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from . import Host, Lab, MissingProgram, find_program, find_tool, leftovers, sweep

__all__ = [
    "for_nobody", "impaired_hosts", "lab", "namespaces", "pytest_configure", "tun", "two_hosts",
]

# Words before a command that run it as a user without any rights.
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes longer than the short lab may")
    # Without this a SIGTERM would end the run without undoing its labs.
    signal.signal(signal.SIGTERM, interrupt)


def interrupt(_number, _frame):
    raise KeyboardInterrupt


def namespaces_reason() -> str | None:
    if os.geteuid() != 0:
        return "the lab needs root (network namespaces)"
    try:
        for tool in ("ip", "ping", "tcpdump", "sysctl"):
            find_tool(tool)
        sweep()
        Host("probe", Path(os.devnull)).close()
    except (MissingProgram, AssertionError) as error:
        return f"the lab needs network namespaces: {error}"
    return None


def tun_reason() -> str | None:
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"the lab needs /dev/net/tun: {error.strerror}"
    return None


@pytest.fixture(scope="session")
def namespaces():
    reason = namespaces_reason()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def tun(namespaces):
    reason = tun_reason()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def lab(namespaces, tmp_path):
    """A lab of the test's own; what it logs and captures lies in the test's tmp_path."""
    before = set(leftovers(os.getpid()))  # what outlives a test, such as a virtual machine
    with Lab(tmp_path) as made:
        yield made
    assert set(leftovers(os.getpid())) <= before


@pytest.fixture
def two_hosts(lab):
    """Two hosts on one cable without faults: (alice, bob, link)."""
    alice, bob = lab.host("alice"), lab.host("bob")
    return alice, bob, lab.link(alice, bob)


@pytest.fixture
def impaired_hosts(lab):
    """Two hosts on a cable whose faults the test sets: (alice, bob, link, wire)."""
    alice, bob = lab.host("alice"), lab.host("bob")
    return alice, bob, *lab.impaired_link(alice, bob)


@pytest.fixture
def for_nobody():
    """A program of ours where every user can reach it."""
    folder = Path(tempfile.mkdtemp(prefix="trellis-lab-"))
    folder.chmod(0o755)

    def copy(name):
        return shutil.copy(find_program(name), folder / name)

    yield copy
    shutil.rmtree(folder)
