"""A cable that loses, delays, reorders, doubles and sorts out frames between two interfaces.

A program of its own, run inside a namespace that has nothing but the two interfaces:

    python3 forwarder.py INTERFACE_A INTERFACE_B [SEED]

On stdin it takes one JSON object a line and answers each with one on stdout:

    {"set": {...fields of Impairment...}, "direction": "ab" | "ba" | null}
    {"counters": true}
    {"drain": true}    answered once nothing is under way and nothing waits to be taken in

The end of stdin ends it. What never leaves a link always passes untouched (address resolution,
group membership, other link-local multicast): what is impaired is the path, not the cable's plug.
"""

import heapq
import itertools
import json
import random
import select
import socket
import sys
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

if __package__:
    from .classify import classify
else:  # run as a program
    sys.path.insert(0, str(Path(__file__).parent))
    from classify import classify

ETH_P_ALL = 3
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
PACKET_OUTGOING = 4
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # beyond the system's limit, for root
SOCKET_BUFFER = 16 << 20
ICMPV6, UDP = 58, 17
NEIGHBOUR_DISCOVERY = range(133, 138)
BATCH = 64
LINK_LOCAL = "link-local"


@dataclass
class Impairment:
    """What happens to the packets of one direction. Shares are 0..1, times milliseconds."""

    loss: float = 0
    delay: float = 0
    jitter: float = 0  # up to this much is added to the delay; by itself it does not reorder
    reorder: float = 0  # this share is held back by another `reorder_delay`, so others overtake it
    reorder_delay: float = 20
    duplicate: float = 0
    drop: list[str] = field(default_factory=list)  # classes or their beginnings: see classify()
    queue: int = 20000  # frames under way at most; what comes on top is lost


class Direction:
    """One way through the cable: decides about each frame and keeps what is under way."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.rules = Impairment()
        self.under_way: list[tuple[float, int, bytes]] = []
        self.order = itertools.count()
        self.last_due = 0.0
        self.counters = {"forwarded": 0, "lost": 0, "dropped": 0, "duplicated": 0, "reordered": 0,
                         "overflowed": 0}

    def accept(self, now: float, frame: bytes) -> list[bytes]:
        """Takes a frame in; returns those to send at once."""
        rules = self.rules
        kind = kind_of(frame)
        if kind == LINK_LOCAL:
            return [frame]
        if any(kind.startswith(name) for name in rules.drop) or "all" in rules.drop:
            self.counters["dropped"] += 1
            return []
        if rules.loss and self.rng.random() < rules.loss:
            self.counters["lost"] += 1
            return []
        copies = 1
        if rules.duplicate and self.rng.random() < rules.duplicate:
            self.counters["duplicated"] += 1
            copies = 2
        return [frame for _ in range(copies) if self._pass_at_once(now, frame)]

    def _pass_at_once(self, now: float, frame: bytes) -> bool:
        rules = self.rules
        held_back = rules.reorder and self.rng.random() < rules.reorder
        if not (rules.delay or rules.jitter or held_back or self.under_way):
            self.counters["forwarded"] += 1
            return True
        if len(self.under_way) >= rules.queue:
            self.counters["overflowed"] += 1
            return False
        due = now + (rules.delay + rules.jitter * self.rng.random()) / 1000
        if held_back:
            self.counters["reordered"] += 1
            due += rules.reorder_delay / 1000
        else:
            due = self.last_due = max(due, self.last_due)
        heapq.heappush(self.under_way, (due, next(self.order), frame))
        return False

    def due(self, now: float) -> list[bytes]:
        found = []
        while self.under_way and self.under_way[0][0] <= now:
            found.append(heapq.heappop(self.under_way)[2])
        self.counters["forwarded"] += len(found)
        return found

    def next_due(self) -> float | None:
        return self.under_way[0][0] if self.under_way else None


def kind_of(frame: bytes) -> str:
    """LINK_LOCAL, a class of classify() for UDP, 'fragment', 'ip' for the rest."""
    ether_type = int.from_bytes(frame[12:14], "big")
    if ether_type == 0x0800:
        if frame[30:33] == b"\xe0\x00\x00":  # 224.0.0.0/24
            return LINK_LOCAL
        if int.from_bytes(frame[20:22], "big") & 0x1FFF:
            return "fragment"
        protocol, at = frame[23], 14 + (frame[14] & 15) * 4
    elif ether_type == 0x86DD:
        protocol, at = frame[20], 54
        if frame[38:40] == b"\xff\x02":
            return LINK_LOCAL
        if protocol == 44:
            return "fragment"
        if protocol == ICMPV6 and len(frame) > at and frame[at] in NEIGHBOUR_DISCOVERY:
            return LINK_LOCAL
    else:
        return LINK_LOCAL
    if protocol != UDP:
        return "ip"
    length = int.from_bytes(frame[at + 4:at + 6], "big")
    return classify(frame[at + 8:at + length])


class Cable:
    """Two interfaces and a direction between them each way."""

    def __init__(self, interfaces: list[str], seed: int):
        rng = random.Random(seed)
        self.sockets = [open_interface(name) for name in interfaces]
        self.directions = {"ab": Direction(rng), "ba": Direction(rng)}
        self.ways = [(self.sockets[0], self.sockets[1], self.directions["ab"]),
                     (self.sockets[1], self.sockets[0], self.directions["ba"])]

    def forward(self, source: socket.socket) -> None:
        way = next(way for way in self.ways if way[0] is source)
        for _ in range(BATCH):
            try:
                frame, address = source.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:  # the interface is down
                return
            if address[2] != PACKET_OUTGOING:
                self._send(way[1], way[2].accept(time.monotonic(), frame))

    def deliver(self) -> None:
        now = time.monotonic()
        for _, out, direction in self.ways:
            self._send(out, direction.due(now))

    def timeout(self) -> float | None:
        dues = [d.next_due() for d in self.directions.values() if d.next_due() is not None]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def command(self, request: dict) -> dict:
        for name, direction in self.directions.items():
            if "set" in request and request.get("direction") in (None, name):
                direction.rules = Impairment(**request["set"])
        return self.counters()

    def counters(self) -> dict:
        return {name: direction.counters for name, direction in self.directions.items()}

    @staticmethod
    def _send(out: socket.socket, frames: list[bytes]) -> None:
        for frame in frames:
            try:
                out.send(frame)
            except OSError:
                pass  # queue full, or the interface is down: lost, as on a wire


def open_interface(name: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    for option in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
        sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
    sock.bind((name, ETH_P_ALL))
    sock.setblocking(False)
    return sock


def main() -> None:
    cable = Cable(sys.argv[1:3], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    print(json.dumps({"ready": [f.name for f in fields(Impairment)]}), flush=True)
    poller = select.epoll()
    by_descriptor = {sock.fileno(): sock for sock in cable.sockets}
    for descriptor in (*by_descriptor, sys.stdin.fileno()):
        poller.register(descriptor, select.EPOLLIN)
    pending = b""
    drains = 0
    while True:
        timeout = 0.001 if drains else cable.timeout()
        ready = poller.poll(timeout)
        if drains and not ready and cable.timeout() is None:
            for _ in range(drains):
                print(json.dumps(cable.counters()), flush=True)
            drains = 0
        for descriptor, _ in ready:
            if descriptor in by_descriptor:
                cable.forward(by_descriptor[descriptor])
                continue
            data = sys.stdin.buffer.raw.read(65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                if "drain" in request:
                    drains += 1
                else:
                    print(json.dumps(cable.command(request)), flush=True)
        cable.deliver()


if __name__ == "__main__":
    main()
