#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets, fuzz/corpus/TARGET/*, from the vectors of tests/vectors and
from a few words about the formats. Run it again after a change; seeds are kept in the repository.
"""

import base64
import json
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"
VECTORS = ROOT / "tests" / "vectors"


def seed(target: str, name: str, data: bytes | str) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def wireguard() -> dict[str, bytes]:
    """Every kind of message, from the vectors."""
    handshake = json.loads((VECTORS / "wireguard" / "handshake.json").read_text())["handshakes"][0]
    found = {name: bytes.fromhex(handshake[name]) for name in ("initiation", "response")}
    found["keepalive"], found["data"] = (bytes.fromhex(sent["datagram"])
                                         for sent in handshake["initiator_sends"][:2])
    found["cookie"] = struct.pack("<II", 3, 0x01020304) + bytes(range(56))
    return found


def rosenpass() -> dict[str, bytes]:
    known = json.loads((VECTORS / "rosenpass" / "v02_handshake.json").read_text())["messages"]
    return {name: bytes.fromhex(text) for name, text in hex_leaves(known)}


def hex_leaves(value, name="message"):
    """Names and texts of a tree of hexadecimal texts."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from hex_leaves(below, key)


def inner_packets() -> dict[str, bytes]:
    v4 = bytes.fromhex("4500001c00010000400100006440070164400702") + bytes(8)
    v6 = bytes.fromhex("6000000000081140") + bytes(31) + b"\1" + bytes(8)
    large_v4 = bytes.fromhex("4502057800014000401111110a0000010a000002") + bytes(1380)
    large_v6 = (bytes.fromhex("6020000005501140") + b"\xfd" + bytes(14) + b"\1\xfd" + bytes(14)
                + b"\2" + bytes(1360))
    return {"v4-too-big": large_v4, "v6-too-big": large_v6, "v4": v4,
            "v4-options": b"\x46\0\0\x20" + v4[4:20] + b"\1\1\1\0" + v4[20:], "v6": v6,
            "v4-padded": v4 + bytes(4), "v4-cut": v4[:18], "v4-long": v4[:2] + b"\1" + v4[3:],
            "v6-cut": v6[:44], "version-5": b"\x55" + v4[1:]}


def stun() -> dict[str, bytes]:
    request = struct.pack(">HHI", 1, 8, 0x2112A442) + bytes(range(12)) + bytes.fromhex(
        "8022000474657374")
    return {"stun": request, "stun-cut": request[:-4],
            "stun-in-an-index": struct.pack("<I", 4) + request}


# Steps of rosenpass_node: see step() there.
TIME_MS, TIME_S, TO_NODE, TO_PEER, CHANGED, REPLAYED, MADE_UP, RAW, STRANGER, FORGED = (
    0, 1, 2, 4, 6, 7, 8, 9, 10, 11)


def node_scripts() -> dict[str, bytes]:
    def ms(duration: int) -> list[int]:
        return [TIME_MS, *duration.to_bytes(2, "big")]

    exchange = [TO_NODE, TO_PEER, TO_NODE, TO_PEER]
    peer_begins = [*ms(1), *exchange]
    renewal = [TIME_S, 125, *exchange, *exchange]
    return {
        "peer-begins": bytes([0, *peer_begins]),
        "both-begin": bytes([1, *ms(1), *exchange, *exchange, *exchange]),
        "renewals": bytes([1, *peer_begins, *renewal, *renewal, *renewal]),
        "expires": bytes([3, *peer_begins, TIME_S, 255, *ms(10)]),
        "replays": bytes([0, *peer_begins, REPLAYED, 9, 0, REPLAYED, 9, 1, REPLAYED, 2, 1]),
        "answers-only-repeats": bytes([1, *ms(1), *ms(900), *ms(2000), TIME_S, 61, *exchange]),
        "changed": bytes([0, *ms(1), CHANGED, 0, 0, 99, 1, 2, TO_NODE, TO_PEER, CHANGED, 1, 0, 20,
                          1, 2, CHANGED, 1, 0, 130, 1, 2]),
        "made-up": bytes([1, *ms(1), *(b for t in range(4) for b in (MADE_UP, t))]) + bytes(900),
        "strangers": bytes([1, *ms(1), STRANGER, 200, 1, STRANGER, 2, 0, STRANGER, 2, 2,
                            STRANGER, 3, 4]),
        "forged-biscuits": bytes([0, *ms(1), TO_NODE, *(FORGED, 0, 0, 0, 1), *bytes(16),
                                  *(FORGED, 0, 0, 0, 0), *bytes(16), *(FORGED, 0, 7, 0, 0),
                                  *bytes(16), TO_PEER, TO_NODE, TO_PEER]),
        "conf-unanswered": bytes([1, *ms(1), TO_PEER, TO_NODE, *(ms(1500) * 8)]),
    }


# Steps of wireguard_device: see step() there.
WG_MS, WG_S, WG_INITIATE, WG_ANSWER, WG_SEND, WG_SEND_RAW, WG_TEXT, WG_TEXT_RAW, WG_CHANGED = (
    0, 1, 2, 4, 7, 8, 9, 10, 11)
WG_REPLAYED, WG_MADE_UP, WG_COOKIE, WG_CONFIGURE = 12, 13, 14, 15


def device_scripts() -> dict[str, bytes]:
    v4 = bytes([0, 8]) + bytes(28)  # read by inner_packet()
    v6 = bytes([1, 8]) + bytes(48)
    ask = bytes([WG_INITIATE, 1, 1])
    peer_asks = ask + bytes([WG_ANSWER, 1, 1, WG_TEXT, 0, 1]) + v4
    we_ask = bytes([WG_SEND]) + v4 + bytes([WG_ANSWER, 1, 1, WG_SEND]) + v6
    flood = b"".join(bytes([WG_INITIATE, n, 1]) for n in range(40))
    return {
        "peer-asks": b"\0" + peer_asks + bytes([WG_TEXT, 0, 200]) + v6,
        "we-ask": b"\1" + we_ask + bytes([WG_TEXT, 0, 1]) + v4,
        "second-key": b"\0" + bytes([WG_SEND]) + v4 + bytes([WG_ANSWER, 1, 2]),
        "wrong-key": b"\0" + bytes([WG_SEND]) + v4 + bytes([WG_ANSWER, 1, 3]),
        "no-key": b"\0" + bytes([WG_CONFIGURE, 0, 0]) + ask + bytes([WG_SEND]) + v4,
        "no-endpoint": b"\4" + bytes([WG_SEND]) + v4 + peer_asks,
        "flood": b"\2" + flood + bytes([WG_ANSWER, 1, 1]) * 40 + flood,
        "cookie": b"\0" + bytes([WG_SEND]) + v4 + bytes([WG_COOKIE, 2]) * 2
                  + bytes([WG_S, 6, WG_ANSWER, 1, 1]),
        "replays": b"\0" + peer_asks + bytes([WG_REPLAYED, 1, 0, 1, WG_REPLAYED, 1, 1, 1,
                                              WG_REPLAYED, 0, 0, 1]),
        "changed": b"\0" + peer_asks + b"".join(
            bytes([WG_CHANGED, m, 0, at, 1, 1]) for m in (0, 1) for at in (5, 20, 50, 90, 120, 140)),
        "made-up": b"\0" + peer_asks + we_ask + b"".join(
            bytes([WG_MADE_UP, t, *([3] if t == 3 else []), 0]) + bytes(148 if t == 0 else
            92 if t == 1 else 64 if t == 2 else 80) + b"\1" for t in range(4)),
        "texts": b"\0" + peer_asks + b"".join(
            bytes([WG_TEXT_RAW, 0, 1, len(t)]) + t for t in (b"", b"\x45", b"\x60" + bytes(39),
            bytes.fromhex("4500001400000000400100000b0000010a000002"), bytes(20))),
        "malformed": b"\0" + bytes([WG_SEND_RAW, 3]) + b"abc" + bytes([WG_SEND_RAW, 20])
                     + bytes.fromhex("4500001400000000400100000b0000010b000002"),
        "renewal": b"\0" + peer_asks + we_ask + bytes([WG_S, 125]) + we_ask + bytes([WG_S, 60])
                   + we_ask + bytes([WG_S, 200]) + we_ask,
        "old-timestamp": b"\0" + ask + bytes([WG_S, 1, WG_INITIATE, 1, 0, WG_MS, 0, 5]) + ask,
        "configured": b"\0" + b"".join(bytes([WG_CONFIGURE, n, 1]) + peer_asks for n in range(8)),
    }


def state_files() -> dict[str, str]:
    key = "z718qKenPt0DTz9PGj16HPqeGw/yCzRJQmLlMg2hfzM="
    pin = {"wireguard_key": key, "rosenpass_key": "1:" + "ab" * 32, "peer": "bob"}
    good = {"version": 1, "timestamps_reserved": 1790000000000000000, "pins": [pin]}
    return {"good": json.dumps(good, indent=2) + "\n", "empty": "",
            "cut": json.dumps(good)[:40], "newer": json.dumps({**good, "version": 2}),
            "older": json.dumps({**good, "version": 0}), "no-version": "{}",
            "twice": json.dumps({**good, "pins": [pin, pin]}), "no-pins": '{"version": 1}',
            "bad-key": json.dumps({**good, "pins": [{**pin, "wireguard_key": "AAAA"}]}),
            "far-future": json.dumps({**good, "timestamps_reserved": 2**63 - 1}),
            "not-a-time": json.dumps({**good, "timestamps_reserved": 2**64 - 1}),
            "bad-pin": json.dumps({**good, "pins": [1]})}


def uapi_requests() -> dict[str, str]:
    key, other, third = "a0" * 32, "b1" * 32, "c2" * 32
    peer = f"public_key={key}\n"
    device = f"set=1\nprivate_key={other}\nlisten_port=51820\nfwmark=0x10\nreplace_peers=true\n"
    full = (f"preshared_key={third}\nendpoint=192.0.2.1:51820\npersistent_keepalive_interval=25\n"
            "replace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/64\n"
            "protocol_version=1\n")
    own = "9eb81d8b6d1ed48b6c2f0c5d3f3a3b0c7e0a55a4d0a6b7a1d1b8f3f27c19c53d"
    return {
        "whole": device + peer + full + "\n",
        "two-peers": device + peer + full + f"public_key={third}\nallowed_ip=10.0.0.0/8\n\n",
        "update-only": f"set=1\n{peer}update_only=true\n{full}\n",
        "updated": f"set=1\n{peer}{full}{peer}update_only=true\nendpoint=[2001:db8::1]:1\n\n",
        "removed": f"set=1\n{peer}{full}{peer}remove=true\nallowed_ip=10.0.0.0/8\n\n",
        "late-update-only": f"set=1\n{peer}{full}update_only=true\n\n",
        "allowed-ip-removed": f"set=1\n{peer}{full}allowed_ip=-10.0.0.0/8\nallowed_ip=+::/0\n",
        "own-key": f"set=1\nprivate_key={own}\n{peer}{full}\n",
        "no-key": f"set=1\nprivate_key={'00' * 32}\nfwmark=\nfwmark=5\n\n",
        "get": "get=1\n\n", "no-equals": "set=1\nx\n", "long-line": "set=1\n" + "x" * 600,
        "unknown": f"set=1\n{peer}x=1\n", "unknown-first": "set=1\nx=1\n",
        **{f"bad-{number}": f"set=1\n{line}\n\n" for number, line in enumerate((
            "private_key=00", "listen_port=65536", "fwmark=0xg", "replace_peers=false",
            "public_key=zz"))},
        **{f"bad-peer-{number}": f"set=1\n{peer}{line}\n\n" for number, line in enumerate((
            "update_only=1", "remove=0", "preshared_key=1", "endpoint=x", "allowed_ip=10.0.0.0",
            "persistent_keepalive_interval=-1", "replace_allowed_ips=no", "protocol_version=2"))},
    }


def control_requests() -> dict[str, bytes]:
    texts = {"status": '{"command": "status"}', "trust": '{"command": "trust", "peer": "carol"}',
             "trust-nobody": '{"command": "trust"}', "reload": '{"command": "reload"}',
             "unknown": '{"command": "x"}', "no-text": '{"command": 1}', "array": "[]",
             "nothing": ""}
    return {f"{name}-{who}": bytes([who]) + text.encode()
            for name, text in texts.items() for who in (0, 1)}


# The order of kReads in control_messages.cc.
LOGIN, LOGIN_REPLY, SYNC, UPDATE, META, SERVER_KEY, ENVELOPE, JOB, JOB_REPLY, EMPTY = range(10)
SIGNAL_ENVELOPE, BODY, UPLOAD, UPLOAD_REPLY, FETCH, PIECE = range(10, 16)
TIGHT = 0x80


def kind_of(message: dict) -> int:
    """What is in the box of a recorded message."""
    method, name = message["method"], message["name"]
    kinds = {"Login": LOGIN_REPLY if "response" in name else LOGIN,
             "Sync": SYNC if "request" in name else UPDATE,
             "SyncMeta": META, "Logout": EMPTY, "Job": JOB, "Send": BODY}
    return kinds[method]


def ours() -> dict[str, bytes]:
    """Messages with the fields that only our agents know."""
    def field(number: int, value: bytes | int) -> bytes:
        tag = number << 3 | (0 if isinstance(value, int) else 2)
        head = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
        return head + (bytes([value]) if isinstance(value, int) else bytes([len(value)]) + value)

    nonce, name, instance = bytes(range(32)), b"\1" + bytes(32), bytes(range(16))
    peer = field(1, b"k" * 44) + field(2, b"100.64.0.2/32") + field(1000, name)
    user = field(1, b"root") + field(2, field(1, b"\0\1"))
    return {
        "login-ours": bytes([LOGIN]) + field(1000, field(1, nonce) + field(2, name)
                                             + field(3, instance) + field(4, 1) + field(5, 3)),
        "login-reply-ours": bytes([LOGIN_REPLY]) + field(1000, field(1, 1) + field(2, 9)
                                                         + field(3, b"a") + field(6, b"w")),
        "sync-ours": bytes([SYNC]) + field(1000, field(1, nonce) + field(3, 1) + field(4, 7)),
        "update-ours": bytes([UPDATE]) + field(1000, field(1, 7) + field(2, 8) + field(3, peer)
                                               + field(4, b"k" * 44)),
        "ssh-users": bytes([UPDATE]) + field(5, field(13, field(2, b"u" * 16) + field(3, user))),
        "server-key": bytes([SERVER_KEY]) + field(1, b"k" * 44) + field(1000, nonce),
        "offer-ours": bytes([BODY]) + field(1000, field(1, b"1 1 udp 2130706431 192.0.2.1 1 typ host")
                                            + field(2, instance) + field(3, 1)),
        "upload": bytes([UPLOAD]) + field(1, name) + field(2, 5) + field(3, b"piece"),
        "upload-reply": bytes([UPLOAD_REPLY]) + field(1, 5) + field(2, 1),
        "fetch": bytes([FETCH]) + field(1, name) + field(2, 5),
        "piece": bytes([PIECE]) + field(1, 5) + field(2, 10) + field(3, b"piece"),
        "job-reply": bytes([JOB_REPLY]) + field(1, b"id") + field(2, 1) + field(3, b"why"),
        "too-deep": bytes([UPDATE | TIGHT]) + field(5, field(2, field(3, field(3, b"")))),
        "too-many": bytes([UPDATE | TIGHT]) + field(5, field(3, b"") * 20),
        "too-long": bytes([LOGIN | TIGHT]) + field(1, b"k" * 120) + field(3, b"j" * 120),
        "not-utf-8": bytes([LOGIN]) + field(1, b"\xc3\x28"),
        "group": bytes([LOGIN]) + b"\x0b\x0c", "cut": bytes([LOGIN]) + b"\x0a\x05abc",
    }


def control_plane() -> dict[str, dict[str, bytes | str]]:
    folder = VECTORS / "netbird"
    messages, envelopes = ours(), {}
    for number, file in enumerate(("management", "signal")):
        for message in json.loads((folder / f"{file}.json").read_text())["messages"]:
            name = message["name"].replace("_", "-")
            if "plain" in message and len(message["plain"]) < 2000:
                plain = bytes.fromhex(message["plain"])
                messages[name] = bytes([kind_of(message)]) + plain
                if number == 1 or message["method"] == "Login":
                    envelopes[f"inside-{name}"] = b"\3" + plain
            if message.get("encrypted_message") and len(envelopes) < 40:
                whole = bytes.fromhex(message["encrypted_message"])
                envelopes[f"{file}-{name}"] = bytes([number]) + whole
                messages[f"{file}-envelope"] = bytes([(ENVELOPE, SIGNAL_ENVELOPE)[number]]) + whole
    envelopes |= {"box": b"\2" + bytes(60), "short-box": b"\2" + bytes(39), "empty": b"",
                  "bad-key": b"\0\x0a\2AA", "no-receiver": b"\1\x12\2AA"}
    key, digits = "A2C8E62B-38F5-4553-B31E-DD66C696CEBB", "0123456789abcdef" * 4
    keys = {"upper": key, "lower": f" {key.lower()}\n", "short": key[:-1], "braces": f"{{{key}}}",
            "empty": "", "nil": "00000000-0000-0000-0000-000000000000", "bad-digit": "g" + key[1:],
            "bad-hyphen": key.replace("-", "_")}
    lines = {name: f"{text}#sha256:{digits}" for name, text in {
        "name": "https://vpn.example.org", "port": "https://VPN.example:8443/", "v4": "https://192.0.2.1",
        "v6": "https://[2001:db8::1]:8443", "plain": "http://a", "open-bracket": "https://[::1",
        "no-brackets": "https://2001:db8::1", "user": "https://a@b", "path": "https://a/b",
        "no-host": "https://:1", "bad-port": "https://a:70000", "no-port": "https://a:",
        "bad-v4": "https://192.0.2.256", "bad-name": "https://-a", "bad-v6": "https://[a]",
        "no-scheme": "a.example"}.items()}
    lines |= {"empty": "", "no-fingerprint": "https://a", "md5": "https://a#md5:00",
              "short": "https://a#sha256:00", "upper": f"HTTPS://a#SHA256:{digits.upper()}\n"}
    return {"control_messages": messages, "control_envelope": envelopes, "setup_key": keys,
            "join_line": lines}


def proto(number: int, value: bytes | str | int) -> bytes:
    """A field of a protobuf message."""
    def varint(n: int) -> bytes:
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def network_maps() -> dict[str, dict[str, bytes | str]]:
    """Maps of a server with updates on top, and maps as an agent keeps them."""
    def key(n: int) -> str:
        return base64.b64encode(bytes([n]) * 32).decode()

    def peer(n: int, *more: bytes, name: str | None = None) -> bytes:
        return (proto(1, key(n)) + proto(2, f"100.92.0.{n}/32") + proto(2, f"fd77:1:2:3::{n:x}/128")
                + proto(4, name or f"h{n}.trellis.internal") + proto(5, "0.77.1+trellis")
                + proto(1000, b"\1" + bytes([n]) * 32) + b"".join(more))

    v6 = bytes.fromhex("fd770001000200030000000000000001")
    own = proto(1, "100.92.0.1/16") + proto(4, "alice.trellis.internal") + proto(9, v6 + b"\x40")
    both = b"".join(proto(8, proto(1, "0.0.0.0") + proto(2, way) + proto(4, 1)) for way in (0, 1))

    def whole(*entries: bytes, rules: bytes = both, me: bytes = own) -> bytes:
        return proto(1, 1000) + proto(2, me) + b"".join(proto(3, e) for e in entries) + rules

    def script(map_bytes: bytes, update: bytes = b"", source: int = 0) -> bytes:
        return bytes([source]) + struct.pack(">H", len(map_bytes)) + map_bytes + update

    step = proto(1, 1000) + proto(2, 1001)
    good = whole(peer(2), peer(3))
    drop = proto(8, proto(1, "100.92.0.2") + proto(3, 1))
    prefix = proto(8, proto(4, 1) + proto(9, bytes([100, 92, 0, 0, 24])))
    maps = {
        "good": script(good), "stock": script(whole(peer(2), rules=b""), source=1),
        "no-rules": script(whole(peer(2), rules=b"")), "closed": script(whole(peer(2), rules=proto(9, 1))),
        "drop": script(whole(peer(2), peer(3), rules=both + drop)),
        "prefix": script(whole(peer(2), rules=prefix)),
        "port": script(whole(peer(2), rules=proto(8, proto(1, "100.92.0.2") + proto(4, 2) + proto(5, "80")))),
        "twins": script(whole(peer(2), peer(3, proto(1000, b"\1" + bytes([2]) * 32)))),
        "same-key": script(whole(peer(2), peer(2, name="h9.trellis.internal"))),
        "odd": script(whole(peer(2, proto(2, "0.0.0.0/0")), peer(1), peer(5, name="alice.trellis.internal"),
                            peer(6, proto(1000, b"\7" * 33)), peer(7, proto(2, "x")), proto(1, "AAAA"))),
        "unused": script(whole(peer(2)) + proto(5, b"") + proto(12, b"") + proto(6, proto(2, b""))),
        "update": script(good, step + proto(3, peer(4)) + proto(4, key(2))),
        "rename": script(good, step + proto(3, peer(3, name="carol.trellis.internal"))),
        "wrong-base": script(good, proto(1, 999) + proto(2, 1001)),
        "steals": script(good, step + proto(3, peer(4, name="h2.trellis.internal"))),
    }
    for number, me in enumerate((
            b"", proto(1, "100.92.0.1"), proto(1, "10.0.0.1/8") + proto(4, "a.b"),
            proto(1, "100.92.0.1/16") + proto(4, "a.b") + proto(9, v6 + b"\x08"),
            proto(1, "100.92.0.0/16") + proto(4, "a.b"), proto(1, "100.92.0.1/16") + proto(4, "a_.b"))):
        maps[f"own-{number}"] = script(whole(me=me))
    entry = {"name": "h2", "wireguard_key": key(2), "rosenpass_key": "1:" + "02" * 32,
             "addresses": ["100.92.0.2", "fd77:1:2:3::2"], "version": "0.77.1"}
    kept = {"version": 1, "serial": 1000, "name": "alice", "domain": "trellis.internal",
            "addresses": ["100.92.0.1/16", "fd77:1:2:3::1/64"], "rules_enforced": True,
            "takes_updates": True, "rejected": [], "peers": [entry]}
    caches = {"good": kept, "alone": {**kept, "peers": []}, "newer": {**kept, "version": 2},
              "told": {**kept, "rejected": ["peer \"x\" is left out: why"]}, "empty": {},
              "unknown": {**kept, "x": 1}, "twice": {**kept, "peers": [entry, entry]},
              "late": {**kept, "serial": 2**64 - 1}, "negative": {**kept, "serial": -1}}
    for number, change in enumerate((
            {"name": "H2"}, {"name": "alice"}, {"wireguard_key": "A"}, {"wireguard_key": key(1)},
            {"rosenpass_key": "2:" + "02" * 32}, {"addresses": ["10.0.0.1"]}, {"addresses": [1]},
            {"addresses": []}, {"version": "v" * 65}, {"x": 1})):
        caches[f"peer-{number}"] = {**kept, "peers": [{**entry, **change}]}
    texts = {name: json.dumps(document) for name, document in caches.items()}
    line = "candidate:1 1 udp 2130706431 192.0.2.7 51820 typ host"
    whole_memory = {"version": 1, "server_key": key(9), "server_is_strict": True, "map": kept,
                    "contacts": {key(2): [line], key(3): []}}
    memories = {"good": whole_memory, "nobody": {**whole_memory, "server_key": None, "map": None, "contacts": {}},
                "no-map": {**whole_memory, "map": None}, "bad-map": {**whole_memory, "map": {}},
                "newer": {**whole_memory, "version": 2}, "bad-key": {**whole_memory, "server_key": "AAAA"},
                "bad-contact": {**whole_memory, "contacts": {"x": [line]}},
                "many-lines": {**whole_memory, "contacts": {key(2): [line] * 33}},
                "long-line": {**whole_memory, "contacts": {key(2): ["x" * 513]}},
                "no-lines": {**whole_memory, "contacts": {key(2): [1]}}}
    memory_texts = {name: json.dumps(document) for name, document in memories.items()}
    return {"netmap_map": maps, "map_cache": texts | {"cut": texts["good"][:99]},
            "mesh_memory": memory_texts | {"cut": memory_texts["good"][:200]}}


def dns_queries() -> dict[str, bytes]:
    """First the way it comes: 0 UDP; odd TCP, in pieces of half of it."""
    def query(name: str, kind: int, *, counts: str = "0001000000000000", tail: bytes = b"") -> bytes:
        labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
        return (b"\x12\x34\1\0" + bytes.fromhex(counts) + labels + b"\0" + struct.pack(">HH", kind, 1)
                + tail)

    opt = bytes.fromhex("00002904d0000000000000")
    reverse = ".".join("1" + "0" * 15 + "3000200010007" + "7df") + ".ip6.arpa"
    asked = {
        "a": query("bob.trellis.internal", 1), "aaaa": query("BOB.trellis.internal", 28),
        "none": query("eve.trellis.internal", 1), "apex": query("trellis.internal", 6),
        "ptr": query("2.0.92.100.in-addr.arpa", 12), "ptr-v6": query(reverse, 12),
        "between": query("0.92.100.in-addr.arpa", 12), "foreign": query("example.com", 1),
        "root": query("", 2), "any": query("alice.trellis.internal", 255), "axfr": query("trellis.internal", 252),
        "edns": query("bob.trellis.internal", 1, counts="0001000000000001", tail=opt),
        "edns-1": query("bob.trellis.internal", 1, counts="0001000000000001",
                        tail=opt[:6] + b"\1" + opt[7:]),
        "two-edns": query("bob.trellis.internal", 1, counts="0001000000000002", tail=opt + opt),
        "pointer": b"\x12\x34\1\0" + bytes.fromhex("0001000000000000") + b"\xc0\x0c\0\1\0\1",
        "additional": query("a", 1, counts="0001000000000001",
                            tail=b"\xc0\x0c" + bytes.fromhex("00fa00ff000000000003aabbcc")),
        "notify": b"\x12\x34\x21\0" + bytes(8), "answer": b"\x12\x34\x81\0" + bytes(8),
        "no-question": b"\x12\x34\1\0" + bytes(8), "short": b"\x12\x34", "long": query("x" * 63 + ".y" * 60, 1),
    }
    seeds = {name: b"\0" + message for name, message in asked.items()}
    framed = b"".join(struct.pack(">H", len(message)) + message for message in asked.values())
    return seeds | {"stream": b"\xff" + framed, "pieces": b"\3" + framed[:200],
                    "too-long": b"\1\x10\1" + bytes(20)}


def peers_files() -> dict[str, str]:
    host = '[host]\nname = "alice"\naddresses = ["100.64.7.1/16", "fd00::1/64"]\n'
    key, other = "z718qKenPt0DTz9PGj16HPqeGw/yCzRJQmLlMg2hfzM=", "A" * 42 + "g="
    bob = (f'[[peer]]\nname = "bob"\nwireguard_key = "{key}"\nrosenpass_key = "bob.pub"\n'
           'endpoint = "192.0.2.1:51820"\naddresses = ["100.64.7.2", "fd00::2"]\nkeepalive = 25\n')

    def peer(line: str) -> str:
        """Bob, with one of his keys written otherwise."""
        name = line.split(" = ")[0]
        return host + "".join(f"{kept}\n" for kept in bob.splitlines()
                              if not kept.startswith(name)) + line + "\n"

    carol = bob.replace("bob", "carol").replace(key, other).replace("7.2", "8.0/24").replace(
        "::2", "::3")
    files = {
        "good": host + bob, "two": host + bob + carol, "alone": host, "empty": "",
        "whole": host + 'interface = "trellis1"\nlisten_port = 0\nmtu = 1420\nmode = "permissive"\n'
                 + bob.replace('rosenpass_key = "bob.pub"\n', ""),
        "same-name": host + bob + carol.replace('"carol"', '"Bob"'),
        "same-key": host + bob + carol.replace(other, key),
        "overlap": host + bob + carol.replace("8.0/24", "7.0/24"),
        "overlap-before": host + carol.replace("100.64.8.0/24", "100.64.9.0/24") + bob.replace(
            "100.64.7.2", "100.64.9.1"),
        "own-name": host + bob.replace('"bob"', '"Alice"'),
        "no-key": peer("wireguard_key = 1").replace("wireguard_key = 1\n", ""),
        "strict-without": peer("rosenpass_key = 1").replace("rosenpass_key = 1\n", ""),
        "host-is-no-table": "host = 1\n", "peer-is-no-array": host + "[peer]\n",
        "not-toml": "[host\n", "bad-utf8": "[host]\nname = \"\\uD800\"\n",
        "unknown-section": host + "[server]\n", "no-addresses": '[host]\nname = "alice"\n',
    }
    for number, line in enumerate((
            "mode = 1", 'mode = "x"', "listen_port = 65536", "mtu = 1000.5", "mtu = true",
            "nmae = 1", "something = 1", "mtu = 1979-05-27", "mtu = {}", "mtu.x = 1", "mtu = []",
            'interface = "a/b"')):
        files[f"host-{number}"] = host + line + "\n"
    for number, addresses in enumerate((
            '"100.64.7.1"', '"100.0.0.0/4"', '"127.0.0.1/8"', '"100.64.0.0/16"', "1", "",
            '"100.64.7.1/16", "100.64.8.1/24"', '"fd00::1/8"', ", ".join(["1"] * 9))):
        files[f"addresses-{number}"] = f'[host]\nname = "alice"\naddresses = [{addresses}]\n'
    for number, line in enumerate((
            'name = "-"', 'wireguard_key = "AAAA"', f'wireguard_key = "{"A" * 43}="',
            f'wireguard_key = "{"AQEB" * 10 + "AQE="}"', 'rosenpass_key = ""',
            'rosenpass_key = "/bob"', 'endpoint = "host.example:51820"', 'endpoint = "bob"',
            'endpoint = "bob:0"', 'endpoint = "1.2.3:5"', 'endpoint = "0.0.0.0:5"',
            'endpoint = "100.64.9.9:5"', 'endpoint = "[2001:db8::1]:5"', 'endpoint = "a..b.:5"',
            'addresses = ["x"]', 'addresses = ["100.64.7.2/24"]', 'addresses = ["0.0.0.0/0"]',
            'addresses = ["10.0.0.1"]', 'addresses = ["100.64.0.0/16"]', 'addresses = ["::1"]',
            "addresses = 1", "keepalive = -1", "mode = 1")):
        files[f"peer-{number}"] = peer(line)
    return files


def uplink_scripts() -> dict[str, bytes]:
    """Rows of steps of uplink.cc."""
    hello = bytes([2, 0])
    login = bytes([3, 0, 1, 0, 0])
    upload = bytes([3, 0, 0, 1, 0])
    bob_map = bytes([4, 5, 0, 1, 2])
    up = hello + login + bob_map
    offer = b"\x12\x03a:b\xc2\x3e\x05\x0a\x03xyz"
    return {
        "up": up,
        "upload": hello + upload + bytes([9, 5, 0, 4, 0x08, 100, 0x10, 1]),
        "update": up + bytes([5, 5, 6, 1, 4]) + bytes([5, 6, 7, 2]),
        "wrong-base": up + bytes([5, 4, 6, 1, 4]) + bytes([1, 1]) + bob_map,
        "older": up + bytes([4, 3, 0, 1, 2]),
        "no-rules": up + bytes([4, 6, 0, 5, 2]),
        "own-entry": up + bytes([4, 6, 0, 3, 2, 3]),
        "signal": up + bytes([7, 1, len(offer)]) + offer + bytes([1]),
        "own-signal": up + bytes([7, 1, len(offer)]) + offer + bytes([0]),
        "send": up + bytes([13, 5, 0, 13, 5, 0, 13, 5, 1, 9, 4, 0, 0]),
        "silence": up + bytes([7, 1, 0, 1, 1, 31, 1, 11]),
        "pieces": up + bytes([8, 0, 0, 0, 200, 8, 0, 200, 0, 200, 8, 0, 0, 0, 1]),
        "ended": up + b"".join(bytes([10, n, 14, 2]) + b"no" for n in range(5)) + bytes([1, 1]),
        "denied": up + bytes([10, 4, 7, 0, 10, 0, 7, 0, 1, 90]) + hello,
        "setup-key": hello + bytes([10, 0, 7, 0]) + login + bob_map,
        "bad-setup-key": hello + bytes([10, 0, 7, 0, 10, 0, 3, 0, 1, 60]),
        "cut": up + bytes([11]) + b"why\0\0\0\0\0" + bytes([0, 1, 0]) + up,
        "go-away": up + bytes([12, 0, 1, 0]) + hello,
        "log-out": up + bytes([13, 1, 9, 7, 0, 0]),
        "retry": up + bytes([13, 0, 0, 16, 0]),
        "stock": bytes([2, 255, 1, 20]),
        "boxed": hello + bytes([6, 0, 0, 4, 0x0A, 2, 0x08, 1]) + bytes([1, 1]),
        "raw": hello + bytes([9, 1, 0, 4, 1, 2, 3, 4]) + bytes([1, 1]) + hello,
    }


def stun_messages() -> dict[str, bytes]:
    """Those of the RFC and of stock NetBird, and some that are wrong."""
    files = (VECTORS / "stun" / "rfc5769.json", VECTORS / "netbird" / "stun.json")
    found = {f"{file.stem}-{message['name'].replace(' ', '-')}": bytes.fromhex(message["datagram"])
             for file in files for message in json.loads(file.read_text())["messages"]}
    attributes = {"error": "00090004000004570000", "unknown": "7001000161000000",
                  "mapped-v6": "00200014000200010000000000000000000000000000000000",
                  "late-integrity": "00080014" + "00" * 20 + "000600016100 0000".replace(" ", "")}
    for name, text in attributes.items():
        body = bytes.fromhex(text)
        body += bytes(-len(body) % 4)
        found[name] = struct.pack(">HHI", 1, len(body), 0x2112A442) + bytes(12) + body
    return found


def candidate_lines() -> dict[str, str]:
    host = "1 1 udp 2130706431 10.77.0.4 51820 typ host"
    return {"host": host, "prefixed": "candidate:" + host, "attribute": "a=candidate:" + host,
            "v6": "2 1 UDP 2130706431 2001:db8::1 51820 typ host",
            "srflx": "3 1 udp 1694498815 203.0.113.5 40000 typ srflx raddr 0.0.0.0 rport 51820",
            "prflx": "4 1 udp 1 203.0.113.5 1 typ prflx raddr 10.0.0.1 rport 1 generation 0",
            "relay": "5 1 udp 16777215 203.0.113.5 1 typ relay raddr fd00::1 rport 7",
            "stock": host + " ufrag KEDFnpJphdiOsdmv cid l+bDKgDS7locOhD+GjJKGUsUuJd3oZb+",
            "tcp": "6 1 tcp 1 10.0.0.1 9 typ host tcptype active",
            "name": "7 1 udp 1 somebody.local 1 typ host", "component": "8 2" + host[3:],
            "mapped": "9 1 udp 1 ::ffff:10.0.0.1 1 typ host",
            "credentials": "jwkcrnimqqmurevk:kebreazwwljehenwrqlqtigplbranlaa"}


# Steps of mesh_link: see step() there.
(LINK_MS, LINK_S, LINK_TO_US, LINK_TO_THEM, LINK_DIVERTED, LINK_ASKED, LINK_ANSWERED, LINK_CHANGED,
 LINK_RAW, LINK_NAMED, LINK_HEARD, LINK_RESTART) = range(12)


def link_scripts() -> dict[str, bytes]:
    def ms(duration: int) -> list[int]:
        return [LINK_MS, *duration.to_bytes(2, "big")]

    up = [LINK_TO_THEM, LINK_TO_US] * 4
    alive = (ms(2400) + up) * 3
    scripts = {
        "up": up + alive,
        "silent": up + ms(2500) * 8 + [LINK_S, 20] * 4 + up,
        "moved": up + ms(2400) + [LINK_DIVERTED, 9, LINK_TO_THEM] * 4 + alive,
        "asleep": up + [LINK_S, 255] + up + alive,
        "restarts": up + [LINK_RESTART] + up + [LINK_RESTART] * 5 + ms(500) * 5,
        "heard": up + [LINK_HEARD, 7, LINK_HEARD, 8] + alive,
        "named": up + [LINK_NAMED, 2, 1, 0, 2, 0, 255, 255, 200, 0] + alive
        + [LINK_NAMED, 45, *(b for n in range(45) for b in (n, 0, n, n % 4))] + alive,
        "many-addresses": up + [b for n in range(40) for b in (LINK_ASKED, n, 15, n, 1, 255, 0)]
        + alive,
        "nominates": up + [LINK_ASKED, 200, 3, 1, 9, *ms(1), LINK_TO_US, LINK_ASKED, 200, 3, 2, 9],
        "conflicts": up + [LINK_ASKED, 2, 2, 1, 255, LINK_ASKED, 2, 4, 1, 255, LINK_ASKED, 2, 2, 1, 0,
                           LINK_ASKED, 2, 4, 1, 0] + alive,
        "answers": ms(200) + [b for n in range(12) for b in (LINK_ANSWERED, 2, n, n)] + alive,
        "changed": up + [b for n in range(30) for b in (LINK_CHANGED, n, 0, 4 * n, 1, 2)],
        "raw": [LINK_RAW, 2, 20] + list(struct.pack(">HHI", 1, 0, 0x2112A442)) + [0] * 12,
    }
    return {f"{name}-{first}": bytes([first, *script])
            for name, script in scripts.items() for first in (0, 1)}


def gateway_scripts() -> dict[str, bytes]:
    """Rows of steps of server_gateway.cc: what, connection, and what that takes."""
    def join(n: int) -> bytes:
        return bytes([5, n, 0, 0])

    def upload(n: int) -> bytes:
        return bytes([8, n, 0, 0, 1, 44, 0])

    def sync(n: int, how: int = 0) -> bytes:
        return bytes([6, n, how, 0])

    def admin(text: str) -> bytes:
        return bytes([12, 0, len(text)]) + text.encode()

    up = b"".join(join(n) + upload(n) + sync(n) for n in range(2)) + join(2) + sync(2)
    signal = bytes([10, 0, 0, 10, 1, 0, 2, 3, 2, 10, 3, 0])
    body = b"b" * 20
    rename = admin('{"command":"peer rename","peer":"m","name":"x"}')
    return {
        "up": up,
        "signal": up + signal + b"".join(bytes([11, n, n, m]) + body
                                         for n in range(3) for m in range(3)),
        "other-sender": up + signal + bytes([11, 0, 1, 1]) + body,
        "fetch": up + bytes([9, 0, 1, 0, 0, 9, 1, 0, 0, 100]),
        "resume": join(0) + bytes([8, 0, 0, 0, 0, 100, 0, 8, 0, 0, 100, 0, 200, 0]),
        "wrong-key": join(0) + bytes([8, 0, 0, 0, 1, 44, 200, 5]) + upload(0),
        "rename": up + rename + bytes([1, 0, 2]),
        "remove": up + signal + admin('{"command":"peer remove","peer":"m"}') + join(0) + sync(0),
        "pins": up + bytes([5, 1, 16, 0]) + admin('{"command":"peer trust","peer":"m-2"}')
                + bytes([5, 1, 16, 0, 5, 0, 32, 0]) + admin('{"command":"peer trust","peer":"m"}')
                + bytes([5, 0, 32, 0, 6, 0, 0, 0]),
        "copy": up + bytes([2, 3, 0, 5, 3, 8, 0, 1, 3, 4]),
        "dead": up + bytes([13, 0, 0, 2, 3, 0, 5, 3, 8, 0, 1, 3, 4]),
        "two-wait": up + bytes([13, 0, 2, 3, 0, 5, 3, 8, 0, 2, 2, 0, 5, 2, 8, 0, 1, 3, 9]),
        "nonce": bytes([5, 0, 2, 0]) + sync(0, 2),
        "stock-claims": up + bytes([5, 0, 4, 0]) + sync(0, 4),
        "no-setup-key": bytes([5, 0, 1, 0, 5, 2, 1, 0]),
        "logout": up + bytes([7, 0, 4, 0]) + bytes([7, 2, 4, 0]) + bytes([7, 1, 3, 4, 10, 2, 10, 0]),
        "plain": b"".join(bytes([4, 3, n, 3, 1, 2, 3]) for n in range(12)),
        "boxed": b"".join(bytes([7, 3, n, 2, 10, 0]) for n in range(12)),
        "two-requests": up + bytes([15, 0, 0, 15, 1, 3, 10, 1, 97]),
        "raw": bytes([0, 0, 24]) + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 1, 3]) + b"GET",
        "silence": up + bytes([13, 0, 13, 1, 1, 0, 255]),
        "ephemeral": admin('{"command":"setup-key create","ephemeral":true}') + up
                     + bytes([3, 0, 1, 1, 255, 1, 1, 255]),
        "cancel": up + bytes([14, 0, 14, 1, 14, 2]) + rename,
        "jwt": bytes([5, 0, 1, 5, 0x1a, 3, 97, 98, 99]),
    }


def server_requests() -> dict[str, bytes]:
    texts = {"status": '{"command":"status"}', "keys": '{"command":"setup-key list"}',
             "peers": '{"command":"peer list"}', "create": '{"command":"setup-key create"}',
             "create-all": '{"command":"setup-key create","name":"n","reusable":true,"limit":2,'
                           '"expires_seconds":60,"ephemeral":true}',
             "create-limit": '{"command":"setup-key create","limit":2}',
             "revoke": '{"command":"setup-key revoke","id":"aaaaaa"}',
             "remove": '{"command":"peer remove","peer":"alice"}',
             "remove-address": '{"command":"peer remove","peer":"100.64.0.2"}',
             "rename": '{"command":"peer rename","peer":"bob","name":"robert"}',
             "rename-taken": '{"command":"peer rename","peer":"bob","name":"alice"}',
             "trust": '{"command":"peer trust","peer":"bob"}',
             "trust-nothing": '{"command":"peer trust","peer":"alice"}',
             "array": "[]", "nothing": "", "number": '{"command":1}'}
    return {f"{name}-{who}": bytes([who]) + text.encode()
            for name, text in texts.items() for who in (0, 1)}


def internet_sum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def offloaded_packet(v6: bool, tcp: bool, payload: bytes, number: int, *, finished: bool) -> bytes:
    """A TCP or UDP packet; unless finished, with the sum of its pseudo-header only."""
    size = (20 if tcp else 8) + len(payload)
    protocol = 6 if tcp else 17
    if v6:
        addresses = b"\xfd" + bytes(14) + b"\1" + b"\xfd" + bytes(14) + b"\2"
        ip = struct.pack(">IHBB", 6 << 28, size, protocol, 64) + addresses
    else:
        addresses = bytes((10, 0, 0, 1, 10, 0, 0, 2))
        head = struct.pack(">BBHHHBB", 0x45, 0, 20 + size, number, 0x4000, 64, protocol)
        ip = head + struct.pack(">H", internet_sum(head + addresses) ^ 0xffff) + addresses
    if tcp:
        head = struct.pack(">HHIIBBH", 1000, 2000, number * 100, 5, 0x50, 0x10, 512)
        tail = bytes(2)
    else:
        head, tail = struct.pack(">HHH", 1000, 2000, size), b""
    pseudo = addresses + struct.pack(">II", size, protocol)
    total = internet_sum(pseudo)
    if finished:
        total = internet_sum(pseudo + head + bytes(2) + tail + payload) ^ 0xffff
    return ip + head + struct.pack(">H", total) + tail + payload


def offloads() -> dict[str, bytes]:
    """Super-packets behind the header of a TUN device, and packets that can be joined."""
    seeds = {}
    body = bytes(range(250)) * 2
    for v6, tcp in ((False, True), (False, False), (True, True), (True, False)):
        name = f"v{6 if v6 else 4}-{'tcp' if tcp else 'udp'}"
        start, where = (40 if v6 else 20), (16 if tcp else 6)
        kind = (4 if v6 else 1) if tcp else 5
        header_size = start + (20 if tcp else 8)
        for what, segmentation, size in (("cut", kind, 200), ("sum", 0, 0)):
            header = struct.pack("<BBHHHH", 1, segmentation, header_size, size, start, where)
            seeds[f"{what}-{name}"] = b"\0" + header + offloaded_packet(v6, tcp, body, 1,
                                                                        finished=False)
        packets = [offloaded_packet(v6, tcp, body[:size], number, finished=True)
                   for number, size in enumerate((100, 100, 100, 7))]
        seeds[f"join-{name}"] = b"\1" + b"".join(struct.pack(">H", len(packet)) + packet
                                                 for packet in packets)
    return seeds


def main() -> None:
    for name, data in offloads().items():
        seed("offloads", name, data)
    for name, data in inner_packets().items():
        seed("inner_ip", name, data)
    for name, data in wireguard().items():
        seed("wireguard_messages", name, data)
        seed("demultiplexer", f"wireguard-{name}", data)
    seed("wireguard_messages", "short", b"\4\0\0\0" + bytes(12))
    for name, data in rosenpass().items():
        seed("rosenpass_messages", name, data)
        seed("demultiplexer", f"rosenpass-{name}", data)
    for first in (0x85, 0x86, 0x87, 0x81):
        seed("rosenpass_messages", f"unsupported-{first:x}", bytes([first]) + bytes(63))
    for name, data in stun().items():
        seed("demultiplexer", name, data)
    for name, data in node_scripts().items():
        seed("rosenpass_node", name, data)
    for name, data in device_scripts().items():
        seed("wireguard_device", name, data)
    for name, text in uapi_requests().items():
        seed("uapi_set", name, text)
    for name, data in control_requests().items():
        seed("control_request", name, data)
    for name, text in peers_files().items():
        seed("peers_file", name, text)
    for target, seeds in network_maps().items():
        for name, data in seeds.items():
            seed(target, name, data)
    for name, data in dns_queries().items():
        seed("dns_message", name, data)
    for name, data in uplink_scripts().items():
        seed("uplink", name, data)
    for name, data in stun_messages().items():
        seed("stun_message", name, data)
    for name, text in candidate_lines().items():
        seed("candidate_line", name, text)
    for name, data in link_scripts().items():
        seed("mesh_link", name, data)
    for name, data in gateway_scripts().items():
        seed("server_gateway", name, data)
    for name, data in server_requests().items():
        seed("server_request", name, data)
    for name, text in state_files().items():
        seed("state_file", name, text)
    for target, seeds in control_plane().items():
        for name, data in seeds.items():
            seed(target, name, data)


if __name__ == "__main__":
    main()
