"""Sends one Ethernet frame that stands for nothing, to find it again in a capture.

A program of its own: it must run inside the namespace. The frame has the first EtherType for local
experiments, which every receiver ignores.

    python3 mark.py INTERFACE HEX
"""

import socket
import sys

ETHERTYPE = 0x88B5
NOWHERE = bytes([2, 0, 0, 0, 0, 0])  # a local address that nobody has
SHORTEST_FRAME = 60


def send(interface: str, mark: bytes) -> None:
    frame = NOWHERE + NOWHERE + ETHERTYPE.to_bytes(2, "big") + mark
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        sender.send(frame.ljust(SHORTEST_FRAME, b"\0"))


if __name__ == "__main__":
    send(sys.argv[1], bytes.fromhex(sys.argv[2]))
