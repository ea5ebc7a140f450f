"""Our Rosenpass with the deployed ones: live exchanges in both roles, keys compared."""

import base64
import os
import stat
import time

import pytest

import labkit
import peers
from peers import free_endpoint

FOREIGN = ["rust", "go"]
PARTIES = ["rust", "go"]  # by whom our keys were made: 13568 and 13608 bytes of secret key
HOSTS = ["127.0.0.1", "::1"]
WEAK_MODES = stat.S_IRWXG | stat.S_IRWXO


def meet(pairs, ours, theirs, *, we_initiate, party="go", host="127.0.0.1", our_psk=None,
         their_psk=None, their_options=None):
    """Starts the responder, then the initiator; returns (ours, theirs)."""
    own = pairs.own_keys(party, ours)
    other = pairs.own_keys("rust" if party == "go" else "go", theirs)
    our_address, their_address = free_endpoint(host), free_endpoint(host)

    def start_us():
        return pairs.start(ours, "ours", own, other.public, our_address, psk=our_psk,
                           endpoint=their_address if we_initiate else None)

    def start_them():
        return pairs.start(theirs, "theirs", other, own.public, their_address, psk=their_psk,
                           endpoint=None if we_initiate else our_address, **(their_options or {}))

    if we_initiate:
        them = start_them()
        return start_us(), them
    us = start_us()
    return us, start_them()


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("we_initiate", [True, False], ids=["initiator", "responder"])
@pytest.mark.parametrize("name", FOREIGN)
def test_both_ends_have_the_same_key(pairs, ours, foreign, name, we_initiate, party, host):
    us, them = meet(pairs, ours, foreign(name), we_initiate=we_initiate, party=party, host=host)
    us.wait_exchanged()
    them.wait_exchanged()
    key = peers.wait_common_key(us, them)
    assert us.printed_osks()[-1] == key and key != bytes(32)
    assert not us.key_out.stat().st_mode & WEAK_MODES


@pytest.mark.parametrize("we_initiate", [True, False], ids=["initiator", "responder"])
@pytest.mark.parametrize("name", FOREIGN)
def test_one_exchange_hands_out_one_key(pairs, ours, foreign, name, we_initiate):
    """Repeated messages and acknowledgements are no second key event."""
    us, them = meet(pairs, ours, foreign(name), we_initiate=we_initiate)
    us.wait_exchanged()
    them.wait_exchanged()
    key = peers.wait_common_key(us, them)
    time.sleep(3)
    assert us.printed_osks() == [key] and them.exchanges() == 1
    assert us.process.running and them.process.running


@pytest.mark.parametrize("we_initiate", [True, False], ids=["initiator", "responder"])
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
def test_a_preshared_key_must_be_the_same(pairs, ours, foreign, tmp_path, name, we_initiate, same):
    if not ours.takes_psk():
        pytest.skip("rosenpass-probe has no option --psk")
    first = os.urandom(32)
    second = first if same else os.urandom(32)
    files = [tmp_path / "our.psk", tmp_path / "their.psk"]
    for file, value in zip(files, (first, second)):
        file.touch(mode=0o600)
        file.write_text(base64.b64encode(value).decode())
    us, them = meet(pairs, ours, foreign(name), we_initiate=we_initiate, our_psk=files[0],
                    their_psk=files[1])
    if same:
        peers.wait_common_key(us, them, 20)
    else:
        time.sleep(4)
        assert us.exchanges() == them.exchanges() == 0 and us.process.running


@pytest.mark.parametrize("name", FOREIGN)
def test_the_responder_may_start_last(pairs, ours, foreign, name):
    """Our first InitHello finds nobody: it is repeated until somebody is there."""
    theirs = foreign(name)
    own, other = pairs.own_keys("go", ours), pairs.own_keys("rust", theirs)
    address = free_endpoint()
    us = pairs.start(ours, "ours", own, other.public, free_endpoint(), endpoint=address)
    time.sleep(2)
    assert us.process.running and us.exchanges() == 0
    them = pairs.start(theirs, "theirs", other, own.public, address)
    us.wait_exchanged(timeout=15)
    peers.wait_common_key(us, them)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_restarted_initiator_is_answered(pairs, ours, foreign, name):
    theirs = foreign(name)
    own, other = pairs.own_keys("go", ours), pairs.own_keys("rust", theirs)
    address = free_endpoint()
    us = pairs.start(ours, "ours", own, other.public, address)
    keys = []
    for number in (1, 2, 3):
        them = pairs.start(theirs, f"theirs-{number}", other, own.public, free_endpoint(),
                           endpoint=address)
        us.wait_exchanged(number)
        keys.append(peers.wait_common_key(us, them))
        them.process.kill()
    assert us.printed_osks() == keys and len(set(keys)) == 3


def test_renewals_by_the_other_end_are_followed(pairs, ours, foreign):
    us, them = meet(pairs, ours, foreign("go"), we_initiate=False,
                    their_options={"rekey_after": "2s"})
    for count in (1, 2, 3):
        us.wait_exchanged(count)
        them.wait_exchanged(count)
        peers.wait_common_key(us, them)
    assert len(set(us.printed_osks())) == len(us.printed_osks()) >= 3


@pytest.mark.parametrize("we_initiate", [True, False], ids=["initiator", "responder"])
def test_an_exchange_comes_through_loss(pairs, ours, foreign, impaired_hosts, we_initiate):
    """With Rust only: go-rosenpass itself stays stuck after a lost acknowledgement."""
    theirs = foreign("rust")
    alice, bob, link, wire = impaired_hosts
    wire.set(loss=0.3, delay=10, jitter=10, reorder=0.1, duplicate=0.1)
    capture_of_alice = labkit.Capture(alice, link.end(alice).interface, pairs.directory / "pcap")
    own, other = pairs.own_keys("go", ours), pairs.own_keys("rust", theirs)
    our_address, their_address = f"{link.end(alice).v4}:9999", f"{link.end(bob).v4}:9999"
    us = pairs.start(ours, "ours", own, other.public, our_address, host=alice,
                     endpoint=their_address if we_initiate else None)
    them = pairs.start(theirs, "theirs", other, own.public, their_address, host=bob,
                       endpoint=None if we_initiate else our_address)
    us.wait_exchanged(timeout=60)
    peers.wait_common_key(us, them, 60)
    sent = [d.payload for d in capture_of_alice.stop().datagrams() if d.src == link.end(alice).v4]
    assert {labkit.classify(payload) for payload in sent} == (
        {"rosenpass-InitHello", "rosenpass-InitConf"} if we_initiate
        else {"rosenpass-RespHello", "rosenpass-EmptyData"})


@pytest.mark.parametrize("we_initiate", [True, False], ids=["initiator", "responder"])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_stranger_gets_no_key(pairs, ours, foreign, name, we_initiate):
    """The peer's key is not the one that we were told."""
    theirs = foreign(name)
    own, other = pairs.own_keys("go", ours), pairs.own_keys("rust", theirs)
    our_address, their_address = free_endpoint(), free_endpoint()
    third = theirs.gen_keys(pairs.directory / "third")
    us = pairs.start(ours, "ours", own, third.public, our_address,
                     endpoint=their_address if we_initiate else None)
    them = pairs.start(theirs, "theirs", other, own.public, their_address,
                       endpoint=None if we_initiate else our_address)
    time.sleep(4)
    assert us.exchanges() == them.exchanges() == 0
    assert us.process.running and not us.key_out.exists()


@pytest.mark.parametrize("attempt", range(5))
@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("name", FOREIGN)
def test_both_begin_at_once(pairs, ours, foreign, name, party, attempt):
    """Two Rust peers that do so have different keys 48 times of 50. Either party is the larger."""
    theirs = foreign(name)
    own = pairs.own_keys(party, ours)
    other = pairs.own_keys("rust" if party == "go" else "go", theirs)
    our_address, their_address = free_endpoint(), free_endpoint()
    us = pairs.start(ours, "ours", own, other.public, our_address, endpoint=their_address,
                     kind=name)
    time.sleep(0.02 * attempt)
    them = pairs.start(theirs, "theirs", other, own.public, their_address, endpoint=our_address)
    us.wait_exchanged()
    them.wait_exchanged()
    time.sleep(3)
    assert us.osk() == them.osk()


def test_our_two_ends_agree(pairs, ours):
    own, other = pairs.own_keys("go", ours), pairs.own_keys("rust", ours)
    address = free_endpoint()
    waiting = pairs.start(ours, "waiting", other, own.public, address)
    calling = pairs.start(ours, "calling", own, other.public, free_endpoint(), endpoint=address)
    waiting.wait_exchanged()
    calling.wait_exchanged()
    key = peers.wait_common_key(waiting, calling)
    assert waiting.printed_osks() == calling.printed_osks() == [key]
