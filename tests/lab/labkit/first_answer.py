"""Pings an address until told to stop, also while there is no way to it. Prints each answer.

    python3 -I first_answer.py ADDRESS INTERVAL

One line per answered ping: when it was sent and when its answer came, by the machine's monotonic
clock. ping(8) ends where there is no route yet, so it cannot watch a host join.
"""

import os
import select
import socket
import struct
import sys
import time

ECHO = struct.Struct("!BBHHH")


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def request(identifier: int, number: int) -> bytes:
    body = bytes(48)
    head = ECHO.pack(8, 0, 0, identifier, number)
    return ECHO.pack(8, 0, checksum(head + body), identifier, number) + body


def main(address: str, interval: float) -> None:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    raw.setblocking(False)
    identifier = os.getpid() & 0xFFFF
    sent: dict[int, float] = {}
    number = 0
    due = time.monotonic()
    print("pinging", flush=True)
    while True:
        now = time.monotonic()
        if now >= due:
            number = number + 1 & 0xFFFF
            sent[number] = now
            sent.pop(number - 4096 & 0xFFFF, None)
            due = max(due + interval, now)
            try:
                raw.sendto(request(identifier, number), (address, 0))
            except OSError:  # no route yet, or no tunnel
                pass
        if not select.select([raw], [], [], max(0.0, due - time.monotonic()))[0]:
            continue
        packet = raw.recv(2048)
        arrived = time.monotonic()
        echo = packet[4 * (packet[0] & 15):]
        if len(echo) < ECHO.size:
            continue
        kind, _, _, whose, which = ECHO.unpack_from(echo)
        if kind == 0 and whose == identifier and which in sent:
            print(f"{sent.pop(which):.6f} {arrived:.6f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
