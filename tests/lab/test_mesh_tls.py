"""The line to the server: the group that its capture shows, and servers that lack it."""

import pytest

from labkit import find_tool
from labkit.tls import (CLIENT_HELLO, RETRY_RANDOM, SERVER_HELLO, X25519, X25519MLKEM768, hellos)

CLIENT_SHARE = 1184 + 32  # an ML-KEM-768 public key and an X25519 one
SERVER_SHARE = 1088 + 32  # a ciphertext in place of the first


def test_the_capture_shows_a_post_quantum_group(mesh):
    capture = mesh.capture("alice", "tcp port 443")
    mesh.joined("alice", "bob")
    seen = hellos(capture.stop().packets())
    clients = [hello for hello in seen if hello.kind == CLIENT_HELLO]
    servers = [hello for hello in seen if hello.kind == SERVER_HELLO]
    assert clients and len(clients) == len(servers)
    for hello in clients:
        assert hello.supported == (X25519MLKEM768,)  # nothing that it could be talked down to
        assert hello.shares == ((X25519MLKEM768, CLIENT_SHARE),)
    for hello in servers:
        assert hello.shares == ((X25519MLKEM768, SERVER_SHARE),)
        assert hello.random != RETRY_RANDOM


@pytest.mark.parametrize("options", [("-tls1_3", "-groups", "X25519"), ("-tls1_2",)])
def test_an_agent_refuses_a_server_without_it(mesh, options):
    """The right certificate, but a TLS that a quantum computer will read."""
    alice, key = mesh.agent("alice"), mesh.key
    mesh.server.stop()
    server = mesh.hosts["server"].spawn(
        find_tool("openssl"), "s_server", "-accept", "443", "-quiet", "-alpn", "h2", *options,
        "-cert", str(mesh.server.state / "tls.crt"), "-key", str(mesh.server.state / "tls.key"))
    mesh.server.process = server
    capture = mesh.capture("alice", "tcp port 443")
    server.wait_for(lambda: mesh.hosts["server"].run("ss", "-Hltn", "sport", "443").stdout, 5)
    refused = alice.join(key, "--timeout", "3", check=False)
    assert refused.returncode == 1
    assert "X25519MLKEM768" in refused.stderr, refused.stderr
    assert "X25519MLKEM768" in str(alice.network()["server"]["error"])
    seen = hellos(capture.stop().packets())
    assert [hello for hello in seen if hello.kind == SERVER_HELLO and hello.shares] == []
    assert all(X25519 not in hello.supported for hello in seen)
    assert not capture.contains(key["setup_key"].encode())
    mesh.server.stop()
    mesh.server.start()
    alice.join(key)
