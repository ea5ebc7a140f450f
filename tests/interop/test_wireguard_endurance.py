"""Half an hour of trellis-wg with other implementations: renewals, moves, restarts. Long.

All implementations run at the same time; `pytest -rP` shows what was lost, and when.
TRELLIS_ENDURANCE_SECONDS takes another time, for a quick look.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import labkit
import peers
import pytest
import wireguard_peers
from kernel_guest import INTERFACE as GUEST_INTERFACE
from labkit import Ping, ping, start_ping
from labkit.measure import RunningPing
from labkit.tunnel import Side, begin
from labkit.wireguard import preshared_key
from wireguard_peers import KERNEL, TELL_ALL, TO_MOVE, outer_interface

pytestmark = pytest.mark.long

NAMES = ("wireguard-go-2026", "boringtun", KERNEL)
SECONDS = float(os.environ.get("TRELLIS_ENDURANCE_SECONDS", 1800))
LOOK_SECONDS = 5
INTERVAL = 0.1  # of pings
SESSION_SECONDS = 180  # [WireGuard 6.1] Reject-After-Time
AGE_SECONDS = SESSION_SECONDS + 15  # of a handshake, when a restart fell between the two readings
# How long pings may be lost after all is in place again.
MOVE_SECONDS = 1
RESTART_SECONDS = 3
SLACK = 0.5  # a ping before, and the clock of a virtual machine


@dataclass
class Event:
    """What was done to a tunnel. Times since 1970; after `end` pings may be lost for `bound` s."""

    what: str
    start: float
    end: float
    bound: float


@dataclass
class Gap:
    """Pings without an answer, one after the other, and the answers before and after."""

    start: float
    end: float
    lost: int


@dataclass
class Run:
    """A tunnel to one implementation, pinged both ways."""

    name: str
    ours: Side
    theirs: Side
    key: str = field(default_factory=preshared_key)
    started: float = field(default_factory=time.time)
    pings: list[RunningPing] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    handshakes: dict[str, set[int]] = field(default_factory=lambda: {"ours": set(),
                                                                     "theirs": set()})
    memory: list[int] = field(default_factory=list)  # KiB, of ours since its last start

    def begin(self) -> None:
        know(self.theirs, self.ours, self.key)
        know(self.ours, self.theirs, self.key)
        assert ping(self.ours.host, self.theirs.inner4, count=1, wait=3).lost == 0
        self.pings = [start_ping(self.ours.host, self.theirs.inner4, interval=INTERVAL),
                      start_ping(self.theirs.host, self.ours.inner6, interval=INTERVAL)]
        self.started = time.time()

    def look(self) -> None:
        views = {"ours": self.ours.peer(self.theirs), "theirs": self.theirs.peer(self.ours)}
        for side, peer in views.items():
            if side == "ours" or self.name in TELL_ALL:
                assert time.time() - peer.latest_handshake < AGE_SECONDS, (self.name, side)
                self.handshakes[side].add(peer.latest_handshake)
        assert views["ours"].endpoint == self.theirs.outer("v4"), self.name
        assert views["theirs"].endpoint == self.ours.outer("v4"), self.name
        self.memory.append(resident_kib(self.ours.device.process.pid))

    def does(self, what: str, action: Callable[["Run"], None], bound: float) -> None:
        before = time.time()
        action(self)
        self.events.append(Event(what, before, time.time(), bound))

    def event_of(self, gap: Gap) -> Event | None:
        """What explains all of a gap."""
        return next((event for event in self.events if event.start - SLACK <= gap.start
                     and gap.end <= event.end + event.bound), None)


def know(side: Side, other: Side, key: str) -> None:
    side.device.add_peer(other.keys.public, allowed=other.allowed, psk=key,
                         endpoint=other.outer("v4"))


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def move(host, interface: str, side: Side) -> None:
    """Gives a machine another address; the new one is there before the old one goes."""
    network, number = side.outer4.rsplit(".", 1)
    moved = f"{network}.{int(number) + 100}"
    # Without it the second address of a network goes with the first.
    host.run("sysctl", "-qw", f"net.ipv4.conf.{interface}.promote_secondaries=1")
    host.ip("addr", "add", f"{moved}/24", "dev", interface)
    host.ip("addr", "del", f"{side.outer4}/24", "dev", interface)
    side.outer4 = moved


def we_move(run: Run) -> None:
    move(run.ours.host, outer_interface(run.ours), run.ours)


def they_move(run: Run) -> None:
    if run.name == KERNEL:
        guest = run.theirs.host.guest
        move(guest, GUEST_INTERFACE, run.theirs)
        guest.v4 = run.theirs.outer4
    else:
        move(run.theirs.host, outer_interface(run.theirs), run.theirs)


def restart(side: Side, other: Side, key: str, make: Callable[[], object]) -> None:
    """Ends a device and makes it anew, with the same identity and the same peer."""
    side.device.stop()
    side.device = make()
    begin(side)
    know(side, other, key)


def we_restart(run: Run) -> None:
    restart(run.ours, run.theirs, run.key, lambda: wireguard_peers.our_device(run.ours.host))
    run.memory.clear()


def gaps(seen: Ping) -> list[Gap]:
    """The last ping may still be under way, and so is none."""
    found, missing = [], set(seen.missing) - {seen.sent}
    for first in (n for n in sorted(missing) if n - 1 not in missing):
        after = next((n for n in range(first, seen.sent + 1) if n in seen.rtts), None)
        end = seen.times[after] if after else float("inf")
        start = seen.times.get(first - 1, 0)
        found.append(Gap(start, end, (after or seen.sent) - first))
    return found


def tell(run: Run, found: list[tuple[int, list[Gap]]]) -> None:
    """What happened and what was lost, for people."""
    for event in run.events:
        print(f"{run.name:18} {event.start - run.started:7.1f} s  {event.what}, "
              f"took {event.end - event.start:.1f} s")
    for word, (sent, lost) in zip(("ours to theirs", "theirs to ours"), found):
        print(f"{run.name:18} {word}: sent {sent}, lost {sum(gap.lost for gap in lost)}")
        for gap in lost:
            event = run.event_of(gap)
            print(f"{run.name:18} {gap.start - run.started:7.1f} s  lost {gap.lost} within "
                  f"{gap.end - gap.start:.2f} s ({event.what if event else 'for no reason'})")
    seen = {side: len(times) for side, times in run.handshakes.items()}
    print(f"{run.name:18} sessions seen {seen}, memory of ours {run.memory[0]} KiB after its "
          f"restart, {run.memory[-1]} KiB at the end")


def wait(runs: list[Run], until: float) -> None:
    """Looks at all tunnels until that share of the time is over."""
    end = runs[0].started + until * SECONDS
    while time.time() < end:
        time.sleep(LOOK_SECONDS)
        for run in runs:
            run.look()


@pytest.fixture
def prepared(tun, foreign_wireguard):
    """Asked for before `lab`: what implementations need to run outlives the test."""
    labkit.find_tool("wg")
    try:
        for name in NAMES:
            foreign_wireguard.prepare(name)
    except peers.Unavailable as reason:
        pytest.skip(f"{name}: {reason}")
    return foreign_wireguard


def test_half_an_hour_with_moves_and_restarts_loses_only_at_the_restarts(prepared, lab):
    def they_restart(run: Run) -> None:
        restart(run.theirs, run.ours, run.key,
                lambda: prepared.device(run.theirs.host, run.name, *TO_MOVE.get(run.name, ())))

    runs = [Run(name, *prepared.tunnel(lab, name, *TO_MOVE.get(name, ()))) for name in NAMES]
    for run in runs:
        run.begin()
    for share, what, action, bound in (
            (0.15, "our address changes", we_move, MOVE_SECONDS),
            (0.35, "their address changes", they_move, MOVE_SECONDS),
            (0.55, "we restart", we_restart, RESTART_SECONDS),
            (0.75, "they restart", they_restart, RESTART_SECONDS)):
        wait(runs, share)
        for run in runs:
            run.does(what, action, bound)
    wait(runs, 1)
    failed = []
    for run in runs:
        seen = [running.finish() for running in run.pings]
        found = [(one.sent, gaps(one)) for one in seen]
        tell(run, found)
        assert all(one.sent > SECONDS / INTERVAL * 0.8 for one in seen)
        failed += [(run.name, gap) for _, lost in found for gap in lost if not run.event_of(gap)]
        assert len(run.handshakes["ours"]) >= SECONDS // SESSION_SECONDS
    assert failed == []
