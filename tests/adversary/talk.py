"""User traffic for the recorder: numbered datagrams with a marker in them.

    talk.py send ADDRESS PORT SECONDS PER_SECOND MARKER    prints how many were sent
    talk.py listen ADDRESS PORT MARKER                     until SIGTERM; prints how many came
"""

import signal
import socket
import sys
import time


def datagram(marker: bytes, number: int) -> bytes:
    return marker + number.to_bytes(4, "big") + bytes(number * 7 % 1100)


def bound_socket(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def send(address: str, port: int, seconds: float, per_second: float, marker: bytes) -> None:
    started = time.monotonic()
    number = 0
    with bound_socket(address) as out:
        while (elapsed := time.monotonic() - started) < seconds:
            if number <= elapsed * per_second:
                out.sendto(datagram(marker, number), (address, port))
                number += 1
            else:
                time.sleep(0.5 / per_second)
    print(number)


def listen(address: str, port: int, marker: bytes) -> None:
    came: set[int] = set()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(print(len(came), flush=True)))
    with bound_socket(address) as receiver:
        receiver.bind((address, port))
        print("listening", file=sys.stderr, flush=True)
        while True:
            data = receiver.recv(2048)
            number = int.from_bytes(data[len(marker):len(marker) + 4], "big")
            if data == datagram(marker, number):
                came.add(number)


if __name__ == "__main__":
    what, where, at, *rest = sys.argv[1:]
    if what == "send":
        send(where, int(at), float(rest[0]), float(rest[1]), rest[2].encode())
    else:
        listen(where, int(at), rest[0].encode())
