#!/usr/bin/env python3
"""Makes the seeds of fuzz_grpc_server and fuzz_grpc_client: scripts for fuzz/grpc_script.h."""

import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
ACK, END_STREAM, END_HEADERS, PADDED = 1, 1, 4, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
REQUEST = [(":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "x"),
           ("te", "trailers"), ("content-type", "application/grpc"), ("grpc-timeout", "5S"),
           ("k-bin", "Zm9v"), ("word", "value")]
ANSWER = [(":status", "200"), ("content-type", "application/grpc"), ("k-bin", "Zm9v,YmE=")]
TRAILERS = [("grpc-status", "5"), ("grpc-message", "not%20found"), ("word", "value")]


def block(headers: list[tuple[str, str]]) -> bytes:
    """HPACK literals without indexing."""
    parts = [b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in headers]
    return b"".join(parts)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload) << 8 | kind) + bytes([flags]) + struct.pack(">I", stream) + payload


def headers(stream: int, fields, last: bool = False) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if last else 0), stream, block(fields))


def message(content: bytes, compressed: int = 0) -> bytes:
    return bytes([compressed]) + struct.pack(">I", len(content)) + content


def raw(*frames: bytes) -> bytes:
    """A step that hands bytes over as they are."""
    joined = b"".join(frames)
    return b"\x40" + struct.pack(">H", len(joined)) + joined


def passing(half_seconds: int) -> bytes:
    return bytes([half_seconds])


def act(what: int) -> bytes:
    return bytes([0x20 | what])


def server_scripts() -> dict[str, bytes]:
    settings = frame(SETTINGS, 0, 0)
    unary = raw(settings, headers(1, REQUEST), frame(DATA, END_STREAM, 1, message(b"question")))
    return {
        "unary": b"\0" + unary,
        "unary-by-bytes": b"\0" + b"".join(b"\x81" + bytes([b]) for b in unary[3:]),
        "own-preface": b"\x80" + raw(PREFACE, settings, headers(1, REQUEST, True)),
        "refused": b"\2" + raw(settings, headers(1, REQUEST), headers(3, REQUEST[:5], True)),
        "stream": b"\1" + raw(settings, headers(1, REQUEST)) + raw(
            frame(DATA, 0, 1, message(b"a") + message(b"")[:3]),
            frame(DATA, PADDED, 1, b"\2" + message(b"")[3:] + message(b"bb") + b"\0\0"),
            frame(WINDOW, 0, 0, struct.pack(">I", 1000)), frame(WINDOW, 0, 1, struct.pack(">I", 9))),
        "compressed": b"\0" + raw(settings, headers(1, REQUEST), frame(DATA, 0, 1, message(b"z", 1))),
        "too-long": b"\0" + raw(settings, headers(1, REQUEST), frame(DATA, 0, 1, b"\0\1\0\0\0")),
        "reset": b"\1" + raw(settings, headers(1, REQUEST), frame(RESET, 0, 1, struct.pack(">I", 8))),
        "expired": b"\1" + raw(settings, headers(1, REQUEST)) + passing(11),
        "away": b"\0" + unary + act(0) + raw(frame(PING, ACK, 0, b"ttrillog")) + passing(12),
        "pings": b"\0" + unary + raw(*[frame(PING, 0, 0, bytes(8))] * 5),
        "silent": b"\0" + unary + passing(31) + passing(31),
        "no-window": b"\1" + raw(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0"), headers(1, REQUEST),
                                 frame(DATA, END_STREAM, 1, message(b"question"))) + passing(12),
        "not-reading": b"\0" + act(3) + unary + raw(*[frame(SETTINGS, 0, 0)] * 30),
        "continued": b"\0" + raw(settings, frame(HEADERS, 0, 1, block(REQUEST[:4])),
                                 frame(CONTINUATION, END_HEADERS, 1, block(REQUEST[4:]))),
        "trailers": b"\0" + raw(settings, headers(1, REQUEST), headers(1, [("a", "b")], True)),
        "frames": b"\0" + bytes([0xa0 | SETTINGS, 0, 0, 0, 0xa0 | PING, 0, 0, 8]) + bytes(8),
        "small-window": b"\0" + act(2) + unary + act(30) + unary,
    }


def client_scripts() -> dict[str, bytes]:
    settings = frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0)
    answer = [headers(1, ANSWER), frame(DATA, 0, 1, message(b"answer")), headers(1, TRAILERS, True)]
    away = frame(GOAWAY, 0, 0, struct.pack(">II", 1, 11) + b"too_many_pings")
    return {
        "unary": b"\0" + raw(settings, *answer),
        "unary-by-bytes": b"\0" + b"".join(b"\x81" + bytes([b]) for b in settings + b"".join(answer)),
        "headers-only": b"\1" + raw(settings, headers(1, ANSWER[:2] + TRAILERS, True)),
        "page": b"\0" + raw(settings, headers(1, [(":status", "502"), ("content-type", "text/html")])),
        "informational": b"\0" + raw(settings, headers(1, [(":status", "103")]), *answer),
        "away": b"\3" + raw(settings, away, *answer) + act(2),
        "reset": b"\1" + raw(settings, frame(RESET, 0, 1, struct.pack(">I", 7))),
        "cancel": b"\3" + raw(settings, answer[0]) + act(0) + act(4) + raw(*answer[1:]),
        "expired": b"\3" + raw(settings, answer[0]) + passing(31) + passing(31),
        "stream": b"\0" + raw(settings, answer[0], *[answer[1]] * 5) + act(1) + act(3) + raw(answer[2]),
        "one-place": b"\3" + raw(frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1")) + act(30) + raw(*answer),
        "http1": b"\0" + raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "go": b"\0" + raw(settings) + act(31) + raw(*answer),
    }


def main() -> None:
    for target, scripts in (("grpc_server", server_scripts()), ("grpc_client", client_scripts())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in scripts.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
