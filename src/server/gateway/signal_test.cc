#include "protocol/control/message.h"
#include "server/gateway/fixture_test.h"

#include <gmock/gmock.h>

namespace trellis::server {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;

class SignalTest : public GatewayTest {
 protected:
  SignalTest() : alice(world.join("alice")), bob(world.join("bob")) {}

  /// A stock agent's connection to signal, which is another than that to management.
  Client& signal_of(const World::Member& stock) { return world.connect(*stock.machine); }

  World::Member alice;
  World::Member bob;
};

TEST_F(SignalTest, SendsHeadersAtOnceThatSayRegistered) {
  const auto stream = bob.client->connect_signal();
  EXPECT_TRUE(bob.client->calls[stream].headers);
  EXPECT_EQ(grpc::find(bob.client->calls[stream].metadata, control::kPeerRegisteredMetadata), "1");
}

TEST_F(SignalTest, ForwardsBetweenMembers) {
  const auto stream = bob.client->connect_signal();
  EXPECT_TRUE(alice.client->send_signal(bob.machine->key, "offer").ok());
  EXPECT_TRUE(alice.client->send_signal(bob.machine->key, "candidate").ok());
  EXPECT_THAT(bob.client->bodies(stream), ElementsAre("offer", "candidate"));
}

TEST_F(SignalTest, AnswersSendWithNothing) {
  const auto call = alice.client->ask(
      control::kSignalSend,
      control::format_signal_envelope({alice.machine->key, bob.machine->key, {}}));
  ASSERT_EQ(alice.client->calls[call].messages.size(), 1U);
  EXPECT_TRUE(alice.client->calls[call].messages[0].empty());
  EXPECT_TRUE(alice.client->status_of(call).ok()) << "though nobody is there";
}

TEST_F(SignalTest, DeliversHeartbeatsToOneself) {
  const auto stream = alice.client->connect_signal();
  EXPECT_TRUE(alice.client->send_signal(alice.machine->key, "beat").ok());
  EXPECT_THAT(alice.client->bodies(stream), ElementsAre("beat"));
}

TEST_F(SignalTest, CarriesAMebibyte) {
  const auto stream = bob.client->connect_signal();
  const std::string body(1 << 20, 'k');
  EXPECT_TRUE(alice.client->send_signal(bob.machine->key, body).ok());
  EXPECT_THAT(bob.client->bodies(stream), ElementsAre(body));
}

TEST_F(SignalTest, CarriesOffersOfStockAgents) {
  World::Member carol = world.join_stock("carol");
  Client& signal = signal_of(carol);
  const auto to_carol = signal.connect_signal();
  EXPECT_TRUE(signal.calls[to_carol].headers);
  const auto to_bob = bob.client->connect_signal();
  const std::string offer(524'274, 'o');  // with a Rosenpass key [netbird-wire 3.6]
  EXPECT_TRUE(signal.send_signal(bob.machine->key, offer).ok());
  EXPECT_TRUE(bob.client->send_signal(carol.machine->key, offer).ok());
  EXPECT_THAT(bob.client->bodies(to_bob), ElementsAre(offer));
  EXPECT_THAT(signal.bodies(to_carol), ElementsAre(offer));
}

TEST_F(SignalTest, NobodySendsInAnothersName) {
  World::Member carol = world.join_stock("carol");
  World::Member dave = world.join_stock("dave");
  const auto stream = bob.client->connect_signal();
  const auto send = [&](Client& client, const crypto::PublicKey& from) {
    return client.send_signal_from(from, bob.machine->key, as_bytes("x")).code;
  };
  EXPECT_EQ(send(*alice.client, carol.machine->key), StatusCode::PermissionDenied);
  EXPECT_EQ(send(*alice.client, bob.machine->key), StatusCode::PermissionDenied);
  Client& stranger = world.connect(*carol.machine);
  EXPECT_EQ(send(stranger, alice.machine->key), StatusCode::PermissionDenied);
  EXPECT_EQ(send(stranger, carol.machine->key), StatusCode::PermissionDenied) << "not registered";
  Client& signal = signal_of(carol);
  signal.connect_signal();
  EXPECT_EQ(send(signal, dave.machine->key), StatusCode::PermissionDenied);
  EXPECT_TRUE(bob.client->bodies(stream).empty());
}

TEST_F(SignalTest, OnlyAProofRegistersAMachineOfOurs) {
  const auto stream = bob.client->connect_signal();
  Client& thief = world.connect(world.stock_machine("thief"));
  EXPECT_EQ(thief.status_of(thief.connect_signal_as(bob.machine->key)).code,
            StatusCode::AlreadyExists);
  EXPECT_EQ(thief.status_of(thief.connect_signal_as(alice.machine->key)).code,
            StatusCode::Unauthenticated);
  EXPECT_EQ(alice.client->status_of(alice.client->connect_signal_as(bob.machine->key)).code,
            StatusCode::PermissionDenied);
  EXPECT_TRUE(alice.client->send_signal(bob.machine->key, "still bob's").ok());
  EXPECT_EQ(bob.client->bodies(stream).size(), 1U);
}

TEST_F(SignalTest, OfUnprovenRegistrationsTheNewestCounts) {
  World::Member carol = world.join_stock("carol");
  Client& first = signal_of(carol);
  const auto old_stream = first.connect_signal();
  Client& second = signal_of(carol);
  const auto stream = second.connect_signal();
  EXPECT_EQ(first.status_of(old_stream),
            (grpc::Status{StatusCode::Unknown, "peer registered again"}));
  bob.client->send_signal(carol.machine->key, "x");
  EXPECT_EQ(second.bodies(stream).size(), 1U);
}

TEST_F(SignalTest, RegistersMembersOnly) {
  Client& stranger = world.connect(world.stock_machine("x"));
  EXPECT_EQ(stranger.status_of(stranger.connect_signal()).code, StatusCode::PermissionDenied);
  const auto call = stranger.grpc.start(world.now, control::kSignalConnectStream);
  world.run();
  EXPECT_EQ(stranger.status_of(call).code, StatusCode::InvalidArgument);
}

TEST_F(SignalTest, PairsThatPolicyForbidsAreNotForwarded) {
  Machine& hidden = world.machine("hidden");  // its key is not here, so nobody may know of it
  Client& client = world.connect(hidden);
  ASSERT_TRUE(client.log_in(everybody).ok());
  const auto to_hidden = client.connect_signal();
  const auto to_bob = bob.client->connect_signal();
  EXPECT_TRUE(client.send_signal(bob.machine->key, "x").ok());
  EXPECT_TRUE(bob.client->send_signal(hidden.key, "x").ok());
  EXPECT_TRUE(bob.client->bodies(to_bob).empty());
  EXPECT_TRUE(client.bodies(to_hidden).empty());
  client.upload(hidden.rosenpass, 0);
  EXPECT_TRUE(client.send_signal(bob.machine->key, "now").ok());
  EXPECT_THAT(bob.client->bodies(to_bob), ElementsAre("now"));
}

TEST_F(SignalTest, AReceiverThatDoesNotReadLosesMessagesAndHoldsNobodyUp) {
  const auto stream = bob.client->connect_signal();
  bob.client->stuck = true;
  const std::string body(300'000, 'x');
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(alice.client->send_signal(bob.machine->key, body).ok());
  }
  bob.client->stuck = false;
  world.run();
  EXPECT_GE(bob.client->bodies(stream).size(), 4U);
  EXPECT_LE(bob.client->bodies(stream).size(), 8U);
  EXPECT_GE(world.ask({{"command", "status"}})["status"]["signal_dropped"], 12);
  EXPECT_TRUE(alice.client->send_signal(bob.machine->key, "after").ok());
  EXPECT_EQ(bob.client->bodies(stream).back(), "after");
}

TEST_F(SignalTest, WhatComesOnTheStreamIsForwardedToo) {
  const auto mine = alice.client->connect_signal();
  const auto stream = bob.client->connect_signal();
  alice.client->grpc.send_message(
      mine, control::format_signal_envelope(
                {alice.machine->key, bob.machine->key, to_vector(as_bytes("odd"))}));
  world.run();
  EXPECT_THAT(bob.client->bodies(stream), ElementsAre("odd"));
}

TEST_F(SignalTest, WhatCannotBeReadIsRefused) {
  const auto call = alice.client->ask(control::kSignalSend, as_bytes("\xff\xff"));
  EXPECT_EQ(alice.client->status_of(call).code, StatusCode::InvalidArgument);
}

}  // namespace
}  // namespace trellis::server
