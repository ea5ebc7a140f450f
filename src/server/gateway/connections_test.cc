#include "server/gateway/fixture_test.h"
#include "server/management/logins.h"

#include <gmock/gmock.h>

namespace trellis::server {
namespace {

using grpc::StatusCode;

class ConnectionsTest : public GatewayTest {};

TEST_F(ConnectionsTest, AnswersHealthChecks) {
  Client& client = world.connect(world.stock_machine("x"));
  const auto call = client.ask(control::kIsHealthy, {});
  EXPECT_TRUE(client.status_of(call).ok());
  EXPECT_EQ(client.calls[call].messages.size(), 1U);
}

TEST_F(ConnectionsTest, HasOneServerKeyAndANonceForEachConnection) {
  Client& one = world.connect(world.stock_machine("x"));
  Client& two = world.connect(world.stock_machine("y"));
  const auto first = one.server_key();
  EXPECT_EQ(first.connection_nonce().size(), 32U);
  EXPECT_EQ(one.server_key().connection_nonce(), first.connection_nonce());
  EXPECT_NE(two.server_key().connection_nonce(), first.connection_nonce());
  EXPECT_EQ(two.server_key().key(), first.key());
  world.crash();
  world.start();
  EXPECT_EQ(world.connect(world.stock_machine("z")).server_key().key(), first.key())
      << "kept in the store";
}

TEST_F(ConnectionsTest, TellsStockAgentsWhatItDoesNotHave) {
  Client& client = world.connect(world.stock_machine("x"));
  const auto code = [&](std::string_view method) {
    return client.status_of(client.ask(method, as_bytes("x"))).code;
  };
  EXPECT_EQ(code(control::kGetDeviceAuthorizationFlow), StatusCode::NotFound);
  EXPECT_EQ(code(control::kGetPkceAuthorizationFlow), StatusCode::NotFound);
  EXPECT_EQ(code(control::kJob), StatusCode::Unimplemented);
  EXPECT_EQ(code(control::kExtendAuthSession), StatusCode::Unimplemented);
  EXPECT_EQ(code(control::kCreateExpose), StatusCode::Unimplemented);
  EXPECT_EQ(code("/nobody/Nothing"), StatusCode::Unimplemented);
}

TEST_F(ConnectionsTest, ACallHasExactlyOneRequest) {
  Client& client = world.connect(world.stock_machine("x"));
  const auto none = client.grpc.start(world.now, control::kLogin);
  client.grpc.half_close(none);
  world.run();
  EXPECT_EQ(client.status_of(none).code, StatusCode::InvalidArgument);
  World::Member alice = world.join("alice");
  const auto call = alice.client->grpc.start(world.now, control::kSync);
  wire::management::SyncRequest request;
  request.mutable_trellis()->set_connection_nonce(
      std::string(reinterpret_cast<const char*>(alice.client->nonce.data()), 32));
  alice.client->grpc.send_message(call, alice.client->sealed(request));
  world.run();
  EXPECT_EQ(alice.client->status_of(call).message, "still runs");
  alice.client->grpc.send_message(call, alice.client->sealed(request));
  world.run();
  EXPECT_EQ(alice.client->status_of(call).code, StatusCode::InvalidArgument);
  EXPECT_EQ(world.peer("alice")["connected"], false) << "the stream is gone from all lists";
}

TEST_F(ConnectionsTest, WhoAsksNothingIsSentAway) {
  Client& client = world.connect(world.stock_machine("x"));
  world.advance(9s);
  EXPECT_TRUE(client.open);
  world.advance(1s);
  EXPECT_FALSE(client.open);
}

TEST_F(ConnectionsTest, WhoDoesNotLogInIsSentAway) {
  Client& stranger = world.connect(world.stock_machine("x"));
  stranger.server_key();
  World::Member alice = world.join("alice");  // takes a second
  world.advance(28s);
  EXPECT_TRUE(stranger.open);
  world.advance(2s);
  EXPECT_FALSE(stranger.open);
  world.advance(10min);
  EXPECT_TRUE(alice.client->open);
}

TEST_F(ConnectionsTest, AStrangerWhoTakesNoBytesIsSentAwayAllTheSame) {
  Client& stranger = world.connect(world.stock_machine("x"));
  stranger.server_key();
  stranger.stuck = true;
  stranger.grpc.ping(world.now, 1);
  world.gateway->receive(world.now, stranger.id, stranger.grpc.poll_transmit());
  EXPECT_EQ(world.gateway->poll_ready(), stranger.id) << "the answer, which is not taken";
  EXPECT_EQ(world.gateway->poll_ready(), std::nullopt);
  world.now += 31s;
  world.gateway->handle_timeout(world.now);
  EXPECT_EQ(world.gateway->poll_ready(), stranger.id);
  EXPECT_TRUE(world.gateway->to_close(stranger.id));
}

TEST_F(ConnectionsTest, AStockAgentsLineToSignalMayStay) {
  World::Member carol = world.join_stock("carol");
  Client& signal = world.connect(*carol.machine);
  signal.connect_signal();
  world.advance(10min);
  EXPECT_TRUE(signal.open);
}

TEST_F(ConnectionsTest, StrangersSendLittle) {
  Client& stranger = world.connect(world.stock_machine("x"));
  const auto big = stranger.ask(control::kLogin, ByteVector(100'000));
  EXPECT_EQ(stranger.status_of(big).code, StatusCode::ResourceExhausted);
  World::Member alice = world.join("alice");
  const auto bigger = alice.client->ask(control::kLogin, ByteVector(1'000'000));
  EXPECT_EQ(alice.client->status_of(bigger).code, StatusCode::InvalidArgument);
}

TEST_F(ConnectionsTest, BoundsTheConnectionsOfASource) {
  world.options.limits.connections_per_source_max = 5;
  world.options.limits.strangers_per_source_max = 3;
  world.crash();
  world.start();
  std::vector<Client*> clients;
  const auto open = [&](const char* source) {
    clients.push_back(&world.connect(world.stock_machine("x"), source));
    world.run();
    return clients.back()->open;
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(open("203.0.113.1"));
  EXPECT_FALSE(open("203.0.113.1"));
  EXPECT_FALSE(open("::ffff:203.0.113.1"));
  EXPECT_TRUE(open("203.0.113.2"));
  for (const char* source : {"2001:db8::1", "2001:db8::2", "2001:db8::3"})
    EXPECT_TRUE(open(source));
  EXPECT_FALSE(open("2001:db8::4:5:6:7")) << "of the same /64";
  EXPECT_TRUE(open("2001:db8:0:1::1"));
  // Members count less, and who is gone not at all.
  ASSERT_TRUE(clients[0]->log_in(everybody).ok());
  EXPECT_TRUE(open("203.0.113.1"));
  ASSERT_TRUE(clients.back()->log_in(everybody).ok());
  EXPECT_TRUE(open("203.0.113.1"));
  EXPECT_FALSE(open("203.0.113.1")) << "five";
  world.cut(*clients[1]);
  EXPECT_TRUE(open("203.0.113.1"));
  EXPECT_GE(world.ask({{"command", "status"}})["status"]["connections_refused"], 4);
}

TEST_F(ConnectionsTest, BoundsAllConnections) {
  world.options.limits.connections_max = 4;
  world.options.limits.strangers_max = 2;
  world.crash();
  world.start();
  const auto open = [&](int i) -> Client& {
    Client& client = world.connect(world.stock_machine("x"), "203.0.113." + std::to_string(i));
    world.run();
    return client;
  };
  ASSERT_TRUE(open(1).log_in(everybody).ok());
  ASSERT_TRUE(open(2).log_in(everybody).ok());
  Client& third = open(3);
  EXPECT_TRUE(open(4).open);
  ASSERT_TRUE(third.log_in(everybody).ok());
  EXPECT_FALSE(open(5).open) << "four connections";
  world.cut(third);
  EXPECT_TRUE(open(6).open);
  world.cut(*world.clients[0]);
  EXPECT_FALSE(open(7).open) << "two strangers";
}

TEST_F(ConnectionsTest, SpeaksNoOtherProtocol) {
  Client& client = world.connect(world.stock_machine("x"));
  world.gateway->receive(world.now, client.id, as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  world.run();
  EXPECT_FALSE(client.open);
}

TEST_F(ConnectionsTest, KnowsNothingOfConnectionsThatAreGone) {
  Client& client = world.connect(world.stock_machine("x"));
  world.cut(client);
  world.gateway->receive(world.now, client.id, as_bytes("late"));
  world.gateway->closed(world.now, client.id);
  EXPECT_TRUE(world.gateway->poll_transmit(client.id).empty());
  EXPECT_FALSE(world.gateway->to_close(client.id));
}

TEST_F(ConnectionsTest, SaysWhenTheServerEnds) {
  World::Member alice = world.join("alice");
  world.gateway->go_away(world.now);
  world.run();
  EXPECT_EQ(alice.client->status_of(alice.sync).code, StatusCode::Unavailable);
  EXPECT_FALSE(alice.client->open);
}

TEST_F(ConnectionsTest, NamesTheSignalServerAsTheClientReachedIt) {
  struct Case {
    const char* authority;
    bool encrypted;
    const char* uri;
  };
  const Case cases[] = {{"vpn.test", true, "vpn.test:443"},
                        {"vpn.test", false, "vpn.test:80"},
                        {"192.0.2.1:8443", true, "192.0.2.1:8443"},
                        {"[2001:db8::1]", true, "[2001:db8::1]:443"},
                        {"[2001:db8::1]:8443", true, "[2001:db8::1]:8443"}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.authority);
    Session session;
    session.authority = c.authority;
    session.encrypted = c.encrypted;
    EXPECT_EQ(infrastructure_for(session).signal().uri(), c.uri);
    EXPECT_EQ(
        infrastructure_for(session).signal().protocol(),
        c.encrypted ? wire::management::HostConfig::HTTPS : wire::management::HostConfig::HTTP);
  }
}

TEST_F(ConnectionsTest, ADeadlineThatPassesEndsAStream) {
  World::Member alice = world.join("alice");
  wire::management::SyncRequest request;
  request.mutable_trellis()->set_connection_nonce(
      std::string(reinterpret_cast<const char*>(alice.client->nonce.data()), 32));
  const auto call = alice.client->grpc.start(world.now, control::kSync, {}, 5s);
  alice.client->grpc.send_message(call, alice.client->sealed(request));
  alice.client->grpc.half_close(call);
  world.advance(4s);
  EXPECT_EQ(world.peer("alice")["connected"], true);
  world.advance(2s);
  EXPECT_EQ(world.peer("alice")["connected"], false);
}

}  // namespace
}  // namespace trellis::server
