#!/usr/bin/env python3
"""Writes ../blake2.txt, ../kdf.txt and ../sha3.txt with Python's hashlib and hmac.

Every run writes the same. The inputs are those of the official BLAKE2 test vectors: keys and texts
that count 00 01 02 ...
"""
import hashlib
import hmac
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent
SIZES = (0, 1, 3, 55, 63, 64, 65, 127, 128, 129, 135, 136, 137, 255, 1000)


def count(n: int, start: int = 0) -> bytes:
    return bytes((start + i) % 256 for i in range(n))


def write(name: str, sections: dict[str, list[dict[str, bytes]]]) -> None:
    lines = ["# Python's hashlib and hmac, by generate/blake2_sha3.py."]
    for section, blocks in sections.items():
        lines.append(f"[{section}]")
        for block in blocks:
            lines += [f"{key} = {value.hex()}" for key, value in block.items()] + [""]
    (FOLDER / name).write_text("\n".join(lines).rstrip() + "\n")


def hmac_blake2s(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.blake2s).digest()


def kdf(key: bytes, data: bytes, n: int) -> list[bytes]:
    secret = hmac_blake2s(key, data)
    outputs, last = [], b""
    for i in range(1, n + 1):
        last = hmac_blake2s(secret, last + bytes([i]))
        outputs.append(last)
    return outputs


key32 = count(32)
# RFC 7693, appendix B, so that the file does not rest on Python alone.
assert hashlib.blake2s(b"abc").hexdigest().startswith("508c5e8c327c14e2e1a72ba34eeb452f")
assert hashlib.sha3_256(b"").hexdigest().startswith("a7ffc6f8bf1ed76651c14756a061d662")

write("blake2.txt", {
    "blake2s": [{"text": t, "digest": hashlib.blake2s(t).digest()}
                for t in [b"abc"] + [count(n) for n in SIZES]],
    "blake2s mac": [{"key": count(k), "text": count(n),
                     "digest": hashlib.blake2s(count(n), key=count(k), digest_size=16).digest()}
                    for k in (1, 16, 32) for n in SIZES],
    "blake2b": [{"text": t, "digest": hashlib.blake2b(t, digest_size=32).digest()}
                for t in [b"abc"] + [count(n) for n in SIZES]],
    "blake2b keyed": [{"key": key32, "text": count(n),
                       "digest": hashlib.blake2b(count(n), key=key32, digest_size=32).digest()}
                      for n in SIZES],
})
write("kdf.txt", {
    "hmac": [{"key": count(k), "text": count(n), "digest": hmac_blake2s(count(k), count(n))}
             for k in (0, 1, 32, 64) for n in SIZES],
    "kdf": [{"key": count(32, 7 * n), "input": count(n, 99), "first": out[0], "second": out[1],
             "third": out[2]}
            for n in (0, 1, 32, 33, 100) for out in [kdf(count(32, 7 * n), count(n, 99), 3)]],
})
write("sha3.txt", {
    "sha3_256": [{"text": count(n), "digest": hashlib.sha3_256(count(n)).digest()} for n in SIZES],
    "shake256": [{"text": count(n), "digest": hashlib.shake_256(count(n)).digest(size)}
                 for n in SIZES for size in (32, 64, 300)],
})
