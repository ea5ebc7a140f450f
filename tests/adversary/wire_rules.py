#!/usr/bin/env python3
"""What must hold on the link between two hosts, checked on a capture from the very start.

No WireGuard message before the completed Rosenpass exchange of its pair; one UDP port per host; no
datagram of the exchange above 1,232 bytes; nothing but what the demultiplexer knows; no packet of
the overlay.

    tests/adversary/wire_rules.py link.pcap --overlay 100.64.7.0/24
"""

import argparse
import ipaddress
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "lab")]
from labkit import Datagram, Packet, classify, pcap, verdict  # noqa: E402

EXCHANGE_BYTES_MAX = 1232  # the payload of an IPv6 packet of 1280 bytes
TCP = 6
NEIGHBOUR_PROTOCOLS = {1, 2, 58}  # ICMP, IGMP, ICMPv6: the hosts' own, outside the tunnel


def check_datagrams(datagrams: Iterable[Datagram]) -> list[str]:
    """Says what is wrong, a line each."""
    seen = list(datagrams)
    faults = [f"{classify(d.payload)} from {d.src} to {d.dst} before a completed exchange"
              for d in verdict.before_exchange(seen)]
    faults += [f"{len(d.payload)} bytes from {d.src} to {d.dst} that are of no known protocol"
               for d in verdict.unknown(seen)]
    for datagram in seen:
        if classify(datagram.payload).startswith("wireguard-"):
            continue
        if len(datagram.payload) > EXCHANGE_BYTES_MAX:
            faults.append(f"{len(datagram.payload)} bytes from {datagram.src} outside WireGuard")
        if datagram.fragment:
            faults.append(f"a fragment from {datagram.src} outside WireGuard")
    faults += [f"{host}: UDP ports {sorted(ports)}" for host, ports in verdict.ports(seen).items()
               if len(ports) != 1]
    if not verdict.completions(seen):
        faults.append("no Rosenpass exchange was completed")
    return faults


def check_packets(packets: Iterable[Packet], overlay: Iterable[str] = (),
                  servers: Iterable[str] = ()) -> list[str]:
    """The same for what is no UDP: neither other protocols nor addresses of the overlay.

    `servers`: addresses to which TCP may go.
    """
    lines_to = set(servers)
    networks = [ipaddress.ip_network(network, strict=False) for network in overlay]
    faults = []
    for number, packet in enumerate(packets, start=1):
        inner = [address for address in (packet.src, packet.dst)
                 if any(ipaddress.ip_address(address) in network for network in networks)]
        if inner:
            faults.append(f"packet {number}: {packet.src} to {packet.dst} in clear on the link")
        elif packet.protocol == TCP and lines_to & {packet.src, packet.dst}:
            continue
        elif packet.protocol != pcap.UDP and packet.protocol not in NEIGHBOUR_PROTOCOLS:
            faults.append(f"packet {number}: protocol {packet.protocol} from {packet.src}")
    return faults


def check(capture: Path, overlay: Iterable[str] = ()) -> list[str]:
    """All rules on a capture file."""
    return (check_datagrams(pcap.datagrams(capture))
            + check_packets(pcap.packets(capture), overlay))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--overlay", action="append", default=[], metavar="NETWORK",
                        help="a network inside the tunnel; may be repeated")
    arguments = parser.parse_args()
    try:
        faults = check(arguments.capture, arguments.overlay)
    except (OSError, ValueError) as error:
        sys.exit(f"wire_rules: {error}")
    print("".join(f"{fault}\n" for fault in faults), end="")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
