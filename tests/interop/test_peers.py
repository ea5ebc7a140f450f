"""The foreign peers among themselves: shows that the harness works before it judges us."""

import base64
import os

import pytest

import peers
from peers import free_endpoint

PAIRS = [("rust", "rust"), ("rust", "go"), ("go", "rust"), ("go", "go")]


@pytest.mark.parametrize("initiator, responder", PAIRS)
def test_they_agree_on_a_key(pairs, foreign, initiator, responder):
    """Each party's keys are made by the *other* implementation, so conversion is tested too."""
    first, second = foreign(initiator), foreign(responder)
    own, other = pairs.own_keys("go", first), pairs.own_keys("rust", second)
    address = free_endpoint()
    waiting = pairs.start(second, "responder", other, own.public, address)
    calling = pairs.start(first, "initiator", own, other.public, free_endpoint(), endpoint=address)
    waiting.wait_exchanged()
    calling.wait_exchanged()
    key = peers.wait_common_key(waiting, calling)
    assert len(key) == 32 and key != bytes(32)


@pytest.mark.parametrize("psks, agree", [(("one", "one"), True), (("one", "two"), False)])
def test_the_preshared_key_is_taken_in(pairs, foreign, tmp_path, psks, agree):
    first, second = foreign("rust"), foreign("go")
    values = {name: os.urandom(32) for name in ("one", "two")}
    files = []
    for side, name in zip(("calling", "waiting"), psks):
        files.append(tmp_path / f"{side}.psk")
        files[-1].write_text(base64.b64encode(values[name]).decode())
    own, other = pairs.own_keys("rust", first), pairs.own_keys("go", second)
    address = free_endpoint()
    waiting = pairs.start(second, "responder", other, own.public, address, psk=files[1])
    calling = pairs.start(first, "initiator", own, other.public, free_endpoint(), endpoint=address,
                          psk=files[0])
    if agree:
        peers.wait_common_key(waiting, calling, 20)
    else:
        with pytest.raises(AssertionError):
            peers.wait_common_key(waiting, calling, 4)
        assert waiting.exchanges() == calling.exchanges() == 0
        assert waiting.process.running and calling.process.running


def test_renewals_follow_in_seconds_when_asked(pairs, foreign):
    go = foreign("go")
    own, other = pairs.own_keys("rust", go), pairs.own_keys("go", go)
    address = free_endpoint("::1")
    waiting = pairs.start(go, "responder", other, own.public, address, rekey_after="2s")
    calling = pairs.start(go, "initiator", own, other.public, free_endpoint("::1"),
                          endpoint=address)
    seen = set()
    for count in (1, 2, 3):
        waiting.wait_exchanged(count)
        calling.wait_exchanged(count)
        seen.add(peers.wait_common_key(waiting, calling))
    assert len(seen) == 3


def test_secret_keys_convert_there_and_back(party_keys):
    new = party_keys["go"].secret.read_bytes()
    old = party_keys["rust"].secret.read_bytes()
    assert (len(new), len(old)) == (peers.SECRET_BYTES_NEW, peers.SECRET_BYTES_OLD)
    assert new[32:40] == peers.PIVOTS
    assert peers.to_old_secret(peers.to_new_secret(old)) == old
    assert peers.to_new_secret(peers.to_old_secret(new))[32:] == new[32:]
    for keys in party_keys.values():
        assert keys.public.stat().st_size == peers.PUBLIC_BYTES
