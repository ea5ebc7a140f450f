#include "system/stream.h"

#include "system/stream_pair_test.h"
#include "system/tls_openssl.h"

#include <sys/resource.h>

namespace trellis::system {
namespace {

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return text;
}

/// Sends `text` in pieces, as fast as the stream takes it.
struct Pump {
  StreamEnd& end;
  const std::string& text;
  std::size_t at = 0;
  bool full = false;
  int stops = 0;

  bool step() {
    if (full && end.writable == stops) return false;
    full = false;
    while (at < text.size() && !full) {
      const std::string_view piece = std::string_view(text).substr(at, 10'000);
      at += piece.size();
      full = !end.send(piece);
      if (full) stops = end.writable;
    }
    return at == text.size();
  }
};

TEST_F(StreamTest, TheHandshakeAgreesOnThePostQuantumGroup) {
  listen();
  StreamEnd client;
  join(client);
  ASSERT_TRUE(client.connected) << client.closed.value_or("");
  for (const TlsFacts& facts : {client.stream.tls(), accepted_.front().stream.tls()}) {
    EXPECT_EQ(facts.group, "X25519MLKEM768");
    EXPECT_EQ(facts.version, "TLSv1.3");
    EXPECT_TRUE(facts.post_quantum());
    EXPECT_FALSE(facts.cipher.empty());
  }
  EXPECT_EQ(client.stream.tls().peer_key, server_tls_->fingerprint());
  EXPECT_EQ(client.stream.remote(), server());
}

TEST_F(StreamTest, BytesCrossBothWays) {
  listen();
  StreamEnd client;
  join(client);
  client.send("to the server");
  accepted_.front().send("to the client");
  EXPECT_TRUE(run_until(
      [&] { return client.received == "to the client" && !accepted_.front().received.empty(); }));
  EXPECT_EQ(accepted_.front().received, "to the server");
}

TEST_F(StreamTest, WritesOfOneByteArriveInOrder) {
  listen();
  StreamEnd client;
  join(client);
  const std::string text = pattern(5'000, 1);
  for (const char& c : text) client.send(std::string_view(&c, 1));
  EXPECT_TRUE(run_until([&] { return accepted_.front().received.size() == text.size(); }));
  EXPECT_EQ(accepted_.front().received, text);
}

TEST_F(StreamTest, SegmentsOfOneByteMakeAHandshakeAndATransfer) {
  listen();
  const Wire wire(server(), 1);
  StreamEnd client;
  join(client, wire.endpoint(), pinned());
  ASSERT_TRUE(client.connected) << client.closed.value_or("");
  const std::string text = pattern(20'000, 2);
  client.send(text);
  accepted_.front().send(text);
  EXPECT_TRUE(run_until([&] {
    return client.received.size() == text.size() &&
           accepted_.front().received.size() == text.size();
  }));
  EXPECT_EQ(client.received, text);
  EXPECT_EQ(accepted_.front().received, text);
}

TEST_F(StreamTest, LargeTransfersCrossBothWaysAtOnce) {
  for (const bool with_tls : {true, false}) {
    accepted_.clear();
    listen_with(with_tls ? &*server_tls_ : nullptr);
    StreamEnd client;
    join(client, server(), with_tls ? std::optional(pinned()) : std::nullopt);
    StreamEnd& other = accepted_.front();
    const std::string up = pattern(16 << 20, 3);
    const std::string down = pattern(16 << 20, 4);
    Pump upwards{client, up};
    Pump downwards{other, down};
    EXPECT_TRUE(run_until([&] {
      const bool sent = upwards.step() & downwards.step();
      return sent && other.received.size() == up.size() && client.received.size() == down.size();
    }));
    EXPECT_EQ(other.received, up);
    EXPECT_EQ(client.received, down);
    EXPECT_GT(client.writable + other.writable, 0);
  }
}

TEST_F(StreamTest, ASlowReaderIsToldToTheSenderAndLosesNothing) {
  listen();
  Wire wire(server(), 65536);
  StreamEnd client;
  join(client, wire.endpoint(), pinned());
  StreamEnd& sender = accepted_.front();
  wire.stop(true);
  const std::string piece = pattern(64 << 10, 5);
  std::size_t sent = 0;
  while (sent < 1000 * piece.size() && sender.send(piece)) sent += piece.size();
  sent += piece.size();
  ASSERT_LT(sent, 1000 * piece.size());
  EXPECT_GE(sender.stream.queued_bytes(), 64U << 10);
  EXPECT_FALSE(run_until([&] { return sender.writable > 0; }, 50ms));
  wire.stop(false);
  EXPECT_TRUE(run_until([&] { return client.received.size() == sent; }));
  EXPECT_EQ(sender.writable, 1);
  EXPECT_EQ(sender.stream.queued_bytes(), 0U);
}

TEST_F(StreamTest, AClosedStreamHasDeliveredAllEvenToOneWhoSends) {
  listen();
  StreamEnd client;
  join(client);
  StreamEnd& other = accepted_.front();
  const std::string text = pattern(4 << 20, 6);
  other.send(text);
  other.stream.close();
  EXPECT_FALSE(other.stream.open());
  EXPECT_TRUE(run_until([&] {
    if (client.stream.open()) client.send("still here");
    return client.closed.has_value() && other.closed.has_value();
  }));
  EXPECT_EQ(client.received, text);
  EXPECT_TRUE(contains(*client.closed, "closed the connection")) << *client.closed;
  EXPECT_EQ(other.closed, "closed");
}

TEST_F(StreamTest, ACutWireIsToldToBothEnds) {
  listen();
  Wire wire(server(), 65536);
  StreamEnd client;
  join(client, wire.endpoint(), pinned());
  wire.cut();
  EXPECT_TRUE(run_until([&] { return client.closed && accepted_.front().closed; }));
  EXPECT_EQ(client.closed, "the connection was cut off");
  EXPECT_FALSE(client.send("anything"));
}

TEST_F(StreamTest, ADestroyedStreamEndsTheOther) {
  listen();
  StreamEnd client;
  join(client);
  client.stream = Stream();
  EXPECT_TRUE(run_until([&] { return accepted_.front().closed.has_value(); }));
  EXPECT_FALSE(client.closed.has_value());
}

TEST_F(StreamTest, ACallbackMayDestroyItsStream) {
  listen();
  enum class When { Connected, Received, Writable, Closed };
  for (const When when : {When::Connected, When::Received, When::Writable, When::Closed}) {
    accepted_.clear();
    StreamEnd client;
    bool gone = false;
    const auto destroy = [&](When now) {
      if (now != when) return;
      client.stream = Stream();
      gone = true;
    };
    client.stream = Stream::connect(*loop_, *resolver_, ClientTls::create(pinned()).value(),
                                    {.host = "127.0.0.1", .port = server().port},
                                    {.connected = [&] { destroy(When::Connected); },
                                     .received = [&](ByteView) { destroy(When::Received); },
                                     .writable = [&] { destroy(When::Writable); },
                                     .closed = [&](auto&) { destroy(When::Closed); }});
    ASSERT_TRUE(run_until([&] { return !accepted_.empty(); }));
    StreamEnd& other = accepted_.front();
    if (when == When::Received) other.send(std::string(100'000, 'x'));
    if (when == When::Writable) {
      ASSERT_TRUE(run_until([&] { return client.stream.open(); }));
      while (client.send(std::string(100'000, 'x'))) continue;
    }
    if (when == When::Closed) other.stream = Stream();
    EXPECT_TRUE(run_until([&] { return gone; }));
    if (when != When::Closed) {
      EXPECT_TRUE(run_until([&] { return other.closed.has_value(); }));
    }
  }
}

TEST_F(StreamTest, WhatCannotBeReachedIsToldWithItsAddress) {
  StreamEnd client;
  Endpoint closed_port;
  {
    const Descriptor socket = listen_anywhere(closed_port);
  }
  connect(client, closed_port, pinned());
  EXPECT_TRUE(run_until([&] { return client.closed.has_value(); }));
  EXPECT_TRUE(contains(*client.closed, closed_port.to_string())) << *client.closed;
  EXPECT_TRUE(contains(*client.closed, "refused")) << *client.closed;

  StreamEnd nameless;
  nameless.stream = Stream::connect(*loop_, *resolver_, std::nullopt,
                                    {.host = "nobody.invalid", .port = 1}, nameless.events());
  EXPECT_TRUE(run_until([&] { return nameless.closed.has_value(); }));
  EXPECT_TRUE(contains(*nameless.closed, "nobody.invalid")) << *nameless.closed;
}

TEST_F(StreamTest, OneWhoNeverAnswersTheHandshakeIsGivenUp) {
  Endpoint silent;
  const Descriptor socket = listen_anywhere(silent);
  StreamEnd client;
  connect(client, silent, pinned(), 100ms);
  EXPECT_TRUE(run_until([&] { return client.closed.has_value(); }));
  EXPECT_TRUE(contains(*client.closed, "no answer from " + silent.to_string())) << *client.closed;
}

TEST_F(StreamTest, OneWhoDoesNotSpeakTlsIsNamedSo) {
  Endpoint plain;
  const Descriptor socket = listen_anywhere(plain);
  StreamEnd client;
  connect(client, plain, pinned());
  std::thread answer([&] {
    const Descriptor peer(::accept(socket.get(), nullptr, nullptr));
    const std::string_view text = "HTTP/1.1 400 Bad Request\r\n\r\n";
    ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
    std::array<char, 4096> rest;
    while (::recv(peer.get(), rest.data(), rest.size(), 0) > 0) continue;
  });
  EXPECT_TRUE(run_until([&] { return client.closed.has_value(); }));
  answer.join();
  EXPECT_TRUE(contains(*client.closed, "does not speak TLS")) << *client.closed;
}

TEST_F(StreamTest, TheNextAddressIsTriedWhereOneRefuses) {
  listen();
  StreamEnd client;
  client.stream = Stream::connect(*loop_, *resolver_, ClientTls::create(pinned()).value(),
                                  {.host = "localhost", .port = server().port}, client.events());
  EXPECT_TRUE(run_until([&] { return client.connected || client.closed; }));
  EXPECT_TRUE(client.connected) << client.closed.value_or("");
}

/// A client of plain OpenSSL, to do what ours does not.
class ForeignClient {
 public:
  ForeignClient(const Endpoint& to, std::string_view protocols) : socket_(connect_to(to)) {
    context_ = openssl::make_context(TLS_client_method(), kPostQuantumGroup).value();
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
    ssl_.reset(SSL_new(context_.get()));
    if (!protocols.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    }
    SSL_set_fd(ssl_.get(), socket_.get());
  }
  bool connect() { return SSL_connect(ssl_.get()) == 1; }
  SSL* ssl() { return ssl_.get(); }

 private:
  Descriptor socket_;
  openssl::Owned<SSL_CTX> context_;
  openssl::Owned<SSL> ssl_;
};

TEST_F(StreamTest, AFloodOfKeyUpdatesIsAnsweredAndStopsNothing) {
  listen();
  std::string echoed;
  std::thread thread([&] {
    ForeignClient client(server(), std::string_view("\x02h2"));
    if (!client.connect()) return;
    for (int i = 0; i < 500; ++i) {
      SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
      if (SSL_write(client.ssl(), "x", 1) != 1) return;
    }
    std::array<char, 1000> text;
    while (echoed.size() < 5) {
      const int n = SSL_read(client.ssl(), text.data(), static_cast<int>(text.size()));
      if (n <= 0 && SSL_get_error(client.ssl(), n) != SSL_ERROR_WANT_READ) return;
      if (n > 0) echoed.append(text.data(), static_cast<std::size_t>(n));
    }
  });
  EXPECT_TRUE(
      run_until([&] { return !accepted_.empty() && accepted_.front().received.size() == 500; }));
  if (!accepted_.empty()) accepted_.front().send("hello");
  run_until([&] { return !accepted_.empty() && accepted_.front().closed.has_value(); });
  thread.join();
  EXPECT_EQ(echoed, "hello");
}

TEST_F(StreamTest, AClientThatWantsAnotherProtocolIsRefused) {
  listen();
  for (const std::string_view protocols : {std::string_view("\x08http/1.1"), std::string_view()}) {
    bool connected = false;
    std::thread thread([&] {
      ForeignClient client(server(), protocols);
      // Without ALPN the handshake succeeds at the client, and then it is hung up on.
      char byte = 0;
      connected = client.connect() && SSL_read(client.ssl(), &byte, 1) == 1;
    });
    const auto before = listener_->counters().failed_handshakes;
    EXPECT_TRUE(run_until([&] { return listener_->counters().failed_handshakes > before; }));
    thread.join();
    EXPECT_FALSE(connected);
  }
  EXPECT_TRUE(accepted_.empty());
}

}  // namespace
}  // namespace trellis::system
