"""Networks of namespaces for tests: hosts, links, captures, impaired cables.

    with Lab(directory) as lab:
        alice, bob = lab.host("alice"), lab.host("bob")
        link = lab.link(alice, bob)
        capture = lab.capture(alice, link)
        assert ping(alice, link.address(bob).v4, count=3).lost == 0

Everything a Lab makes is undone when it closes, also after a failure or Ctrl-C. A run that was
killed outright leaves its namespaces behind; `leftovers()` names them and `sweep()` removes them.
"""

from .capture import Capture
from .classify import classify
from .forwarder import Impairment
from .lab import Lab
from .leaks import encodings, find_secrets, search_files
from .link import End, Link
from .measure import Iperf, Ping, iperf3, ping, start_ping
from .namespace import Host, leftovers, sweep
from .network import Network
from .pcap import Datagram, Packet, datagrams, packets
from .process import CommandFailed, Process, TimedOut, wait_until
from .programs import MissingProgram, find_program, find_tool
from .wire import Wire

__all__ = [
    "Capture", "CommandFailed", "Datagram", "End", "Host", "Impairment", "Iperf", "Lab", "Link",
    "MissingProgram", "Network", "Packet", "Ping", "Process", "TimedOut", "Wire", "classify", "datagrams",
    "encodings", "find_program", "find_secrets", "find_tool", "iperf3", "leftovers", "packets",
    "ping", "search_files", "start_ping", "sweep", "wait_until",
]
