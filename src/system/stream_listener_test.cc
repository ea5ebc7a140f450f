#include "system/stream_listener.h"

#include "system/netns_test.h"
#include "system/stream_pair_test.h"

#include <sys/resource.h>
#include <unistd.h>

namespace trellis::system {
namespace {

using StreamListenerTest = StreamTest;

Endpoint any_port(const char* address) { return Endpoint{*IpAddress::parse(address), 0, 0}; }

bool hung_up(const Descriptor& socket) {
  char byte = 0;
  const ssize_t n = ::recv(socket.get(), &byte, 1, MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN);
}

TEST_F(StreamListenerTest, AClientThatSaysNothingIsHungUpOn) {
  listen({.handshake_timeout = 100ms});
  const Descriptor first = connect_to(server());
  const Descriptor second = connect_to(server());
  EXPECT_TRUE(run_until([&] { return listener_->counters().handshakes == 2; }));
  EXPECT_TRUE(run_until([&] { return hung_up(first) && hung_up(second); }));
  EXPECT_EQ(listener_->counters().failed_handshakes, 2U);
  EXPECT_EQ(listener_->counters().connections, 0U);
}

TEST_F(StreamListenerTest, GarbageIsHungUpOn) {
  listen();
  const Descriptor stranger = connect_to(server());
  const std::string_view text = "GET / HTTP/1.1\r\n\r\n";
  ::send(stranger.get(), text.data(), text.size(), 0);
  EXPECT_TRUE(run_until([&] { return listener_->counters().failed_handshakes == 1; }));
  EXPECT_EQ(listener_->counters().connections, 0U);
}

TEST_F(StreamListenerTest, BeyondTheLimitOfConnectionsItRefuses) {
  listen({.connections_max = 2});
  StreamEnd first;
  join(first);
  StreamEnd second;
  join(second);
  EXPECT_EQ(listener_->counters().connections, 2U);
  StreamEnd third;
  connect(third, server(), pinned());
  EXPECT_TRUE(run_until([&] { return third.closed.has_value(); }));
  EXPECT_EQ(listener_->counters().refused, 1U);
  first.stream = Stream();
  EXPECT_TRUE(run_until([&] { return listener_->counters().connections == 1; }));
  StreamEnd fourth;
  join(fourth);
  EXPECT_TRUE(fourth.connected);
}

TEST_F(StreamListenerTest, BeyondTheLimitOfHandshakesItRefuses) {
  listen({.handshakes_max = 1});
  const Descriptor silent = connect_to(server());
  EXPECT_TRUE(run_until([&] { return listener_->counters().handshakes == 1; }));
  const Descriptor other = connect_to(server());
  EXPECT_TRUE(run_until([&] { return hung_up(other); }));
  EXPECT_FALSE(hung_up(silent));
}

TEST_F(StreamListenerTest, ACrowdThatSaysNothingDelaysOthersButDoesNotKeepThemOut) {
  listen({.handshake_timeout = 30s});
  std::vector<Descriptor> crowd;
  for (int i = 0; i < 400; ++i) crowd.push_back(connect_to(server()));
  StreamEnd late;
  join(late);
  EXPECT_TRUE(late.connected);
  EXPECT_EQ(listener_->counters().handshakes, 400U);
  EXPECT_GE(listener_->counters().rests, 5U);  // after each 64 of them
  EXPECT_EQ(listener_->counters().accept_pauses, 0U);
}

TEST_F(StreamListenerTest, WithoutDescriptorsItWaitsInsteadOfSpinning) {
  listen({.accept_pause = 50ms});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  Descriptor client = connect_to(server());
  const Descriptor last(::dup(client.get()));
  const rlimit none{static_cast<rlim_t>(last.get()), before.rlim_max};
  std::vector<Descriptor> holes;  // below the limit
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  while (true) {
    Descriptor hole(::dup(0));
    if (!hole.valid()) break;
    holes.push_back(std::move(hole));
  }
  // No run_until(): its timer needs a descriptor.
  for (int i = 0; i < 2; ++i) {
    loop_->post([&] { loop_->post([&] { loop_->stop(); }); });
    loop_->run();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(run_until([&] { return listener_->counters().accept_pauses >= 1; }));
  EXPECT_TRUE(run_until([&] { return listener_->counters().handshakes == 1; }));
  EXPECT_LE(listener_->counters().accept_pauses, 2U);
}

TEST_F(StreamListenerTest, TakenPortsAndForeignAddressesAreNamed) {
  listen();
  const auto again = StreamListener::listen(*loop_, &*server_tls_, {.endpoints = {server()}},
                                            [](Stream, const Endpoint&) {});
  ASSERT_FALSE(again);
  EXPECT_TRUE(contains(again.error().message, "in use")) << again.error().message;
  const auto foreign =
      StreamListener::listen(*loop_, &*server_tls_, {.endpoints = {any_port("192.0.2.1")}},
                             [](Stream, const Endpoint&) {});
  ASSERT_FALSE(foreign);
  EXPECT_TRUE(contains(foreign.error().message, "192.0.2.1")) << foreign.error().message;
}

TEST_F(StreamListenerTest, WithoutTlsItListensOnLoopbackOnly) {
  const auto open = StreamListener::listen(*loop_, nullptr, {.endpoints = {any_port("0.0.0.0")}},
                                           [](Stream, const Endpoint&) {});
  ASSERT_FALSE(open);
  EXPECT_TRUE(contains(open.error().message, "loopback")) << open.error().message;
  listen_with(nullptr, {.endpoints = {any_port("127.0.0.1")}});
  StreamEnd client;
  join(client, server(), std::nullopt);
  client.send("in the clear");
  EXPECT_TRUE(run_until([&] { return accepted_.front().received == "in the clear"; }));
  EXPECT_EQ(client.stream.tls().group, "");
}

TEST_F(StreamListenerTest, StreamsOutliveTheirListener) {
  listen();
  StreamEnd client;
  join(client);
  listener_.reset();
  client.send("after");
  EXPECT_TRUE(run_until([&] { return accepted_.front().received == "after"; }));
  accepted_.clear();
  EXPECT_TRUE(run_until([&] { return client.closed.has_value(); }));
}

/// Makes `address` one of ours. Within a namespace.
void add_address(const char* address) {
  const std::string command =
      std::string("ip link set lo up && ip address add ") + address + " dev lo";
  ASSERT_EQ(std::system(command.c_str()), 0);
}

Descriptor connect_from(const char* source, const Endpoint& to) {
  Descriptor socket(
      ::socket(to.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SocketAddress address{};
  socklen_t length = to_socket_address(any_port(source), address);
  CHECK(::bind(socket.get(), &address.any, length) == 0);
  length = to_socket_address(to, address);
  CHECK(::connect(socket.get(), &address.any, length) == 0);
  return socket;
}

/// How many of four silent clients a listener takes that takes two of each source.
std::size_t taken_of(const char* server, const std::vector<const char*>& clients) {
  const TemporaryFolder folder;
  const auto loop = Loop::create().value();
  const ServerTls tls = ServerTls::load_or_create(folder.path(), {}).value();
  const auto listener =
      StreamListener::listen(*loop, &tls,
                             {.endpoints = {any_port(server)}, .handshakes_per_source_max = 2},
                             [](Stream, const Endpoint&) {})
          .value();
  std::vector<Descriptor> sockets;
  for (const char* client : clients) {
    sockets.push_back(connect_from(client, listener.endpoints().front()));
  }
  Timer timer = loop->timer([&] { loop->stop(); }).value();
  timer.arm(boot_now() + 200ms);
  loop->run();
  EXPECT_EQ(listener.counters().handshakes + listener.counters().refused, clients.size());
  return listener.counters().handshakes;
}

TEST(StreamListenerSources, AreLimitedByAddressOrByTheirPrefixOf64) {
  IN_NAMESPACE({
    for (const char* address : {"192.0.2.1/24", "192.0.2.2/24"}) add_address(address);
    for (const char* address : {"2001:db8::1/64", "2001:db8::2/64", "2001:db8:1::1/64"}) {
      add_address((std::string(address) + " nodad").c_str());
    }
    EXPECT_EQ(taken_of("192.0.2.1", {"192.0.2.2", "192.0.2.2", "192.0.2.2", "192.0.2.1"}), 3U);
    EXPECT_EQ(taken_of("127.0.0.1", {"127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"}), 4U);
    EXPECT_EQ(
        taken_of("2001:db8::1", {"2001:db8::1", "2001:db8::2", "2001:db8::2", "2001:db8:1::1"}),
        3U);
  });
}

}  // namespace
}  // namespace trellis::system
