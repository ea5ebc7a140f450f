"""What a capture of a pair must show: pure functions over its datagrams."""

from collections import defaultdict
from collections.abc import Iterable

from .classify import classify
from .pcap import Datagram

# The steps of an exchange, and whether the initiator sends them.
EXCHANGE = (("rosenpass-InitHello", True), ("rosenpass-RespHello", False),
            ("rosenpass-InitConf", True), ("rosenpass-EmptyData", False))


class _Pair:
    """How far the exchanges between two addresses have come, for each initiator."""

    def __init__(self):
        self.steps: dict[str, int] = defaultdict(int)
        self.completions: list[float] = []

    def see(self, datagram: Datagram, kind: str) -> None:
        for initiator in (datagram.src, datagram.dst):
            expected, by_initiator = EXCHANGE[self.steps[initiator]]
            if kind == expected and by_initiator == (datagram.src == initiator):
                self.steps[initiator] += 1
            if self.steps[initiator] == len(EXCHANGE):
                self.steps[initiator] = 0
                self.completions.append(datagram.time)


def _walk(datagrams: Iterable[Datagram]):
    pairs: dict[frozenset[str], _Pair] = defaultdict(_Pair)
    for datagram in datagrams:
        kind = classify(datagram.payload)
        pair = pairs[frozenset((datagram.src, datagram.dst))]
        yield datagram, kind, pair
        pair.see(datagram, kind)


def before_exchange(datagrams: Iterable[Datagram]) -> list[Datagram]:
    """WireGuard messages between two addresses that no completed exchange of theirs precedes.

    An exchange is complete with its EmptyData: all four messages, in order, each from its side.
    """
    return [datagram for datagram, kind, pair in _walk(datagrams)
            if kind.startswith("wireguard-") and not pair.completions]


def completions(datagrams: Iterable[Datagram]) -> list[float]:
    """When exchanges were completed (first of all repeats), in order, over all pairs."""
    pairs = {id(pair): pair for _, _, pair in _walk(datagrams)}
    return sorted(time for pair in pairs.values() for time in pair.completions)


def ports(datagrams: Iterable[Datagram]) -> dict[str, set[int]]:
    """The UDP ports that each address sent from."""
    found: dict[str, set[int]] = defaultdict(set)
    for datagram in datagrams:
        found[datagram.src].add(datagram.sport)
    return dict(found)


def largest_of_exchange(datagrams: Iterable[Datagram]) -> int:
    """Bytes of payload of the largest Rosenpass datagram; 0 if there is none."""
    return max((len(datagram.payload) for datagram in datagrams
                if classify(datagram.payload).startswith("rosenpass-")), default=0)


def unknown(datagrams: Iterable[Datagram]) -> list[Datagram]:
    """What the demultiplexer would drop."""
    return [datagram for datagram in datagrams if classify(datagram.payload) == "unknown"]
