// What members and strangers may cost the server, and each other.

#include "protocol/control/message.h"
#include "server/gateway/fixture_test.h"
#include "server/management/claims.h"
#include "server/signal/signal.h"

namespace trellis::server {
namespace {

using grpc::StatusCode;

class LimitsTest : public GatewayTest {
 protected:
  static grpc::Status tell_version(const World::Member& member, const std::string& version) {
    wire::management::SyncMetaRequest request;
    request.mutable_meta()->set_netbird_version(version);
    const auto call = member.client->ask(control::kSyncMeta, member.client->sealed(request));
    return member.client->status_of(call);
  }
};

TEST_F(LimitsTest, WhatAMemberSaysOfItselfIsWrittenAndToldAtItsRateAndTheLastWordCounts) {
  World::Member alice = world.join("alice");
  World::Member mallory = world.join("mallory");
  world.advance(1h);
  const std::uint64_t commits = world.store.commits();
  const std::size_t maps = alice.client->maps(alice.sync).size();
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(tell_version(mallory, "v" + std::to_string(i)).ok());
    world.advance(100ms);
  }
  EXPECT_LE(world.store.commits() - commits, Claims::kBurst + 1);
  EXPECT_LE(alice.client->maps(alice.sync).size() - maps, Claims::kBurst + 1);
  world.advance(1min);
  EXPECT_EQ(world.peer("mallory")["version"], "v199");
  EXPECT_EQ(alice.client->last_map(alice.sync).trellis().changed(0).agent_version(), "v199");
  const std::uint64_t after = world.store.commits();
  world.advance(1h);
  EXPECT_EQ(world.store.commits(), after) << "nothing waits any more";
}

TEST_F(LimitsTest, AMemberThatTakesItsWordBackCostsNothing) {
  World::Member mallory = world.join("mallory");
  for (int i = 0; i < 20; ++i) tell_version(mallory, i % 2 == 0 ? "one" : "two");
  world.advance(1s);
  const std::uint64_t commits = world.store.commits();
  const std::string now = world.peer("mallory")["version"];
  tell_version(mallory, now == "one" ? "two" : "one");
  tell_version(mallory, now);
  world.advance(10min);
  EXPECT_EQ(world.store.commits(), commits);
}

TEST_F(LimitsTest, KeysThatAMemberAsksForInTurnAreWrittenAtItsRate) {
  World::Member alice = world.join("alice");
  Machine copy{"alice",
               alice.machine->wireguard.clone(),
               alice.machine->key,
               alice.machine->rosenpass,
               alice.machine->key_name,
               world.random.bytes<16>()};
  world.cut(*alice.client);
  const std::uint64_t commits = world.store.commits();
  for (int i = 0; i < 100; ++i) {
    copy.key_name[32] ^= std::byte{0xff};
    copy.key_name[31] = static_cast<std::byte>(i);
    EXPECT_EQ(world.connect(copy).log_in().code, StatusCode::FailedPrecondition);
  }
  EXPECT_LE(world.store.commits() - commits, Claims::kBurst + 1);
  world.advance(2min);
  // What an administrator accepts is the last one.
  EXPECT_TRUE(world.ask({{"command", "peer trust"}, {"peer", "alice"}})["ok"]);
  EXPECT_TRUE(world.connect(copy).log_in().ok());
}

TEST_F(LimitsTest, AKeyThatWasTrustedMeanwhileIsNotAskedForAgain) {
  World::Member alice = world.join("alice");
  Machine copy{"alice",
               alice.machine->wireguard.clone(),
               alice.machine->key,
               alice.machine->rosenpass,
               alice.machine->key_name,
               world.random.bytes<16>()};
  world.cut(*alice.client);
  // The last of these has to wait, and asks for what was asked for before.
  for (int i = 0; i <= Claims::kBurst; ++i) {
    copy.key_name[31] = static_cast<std::byte>(i % 2);
    EXPECT_FALSE(world.connect(copy).log_in().ok());
  }
  copy.key_name[31] = std::byte{1};
  EXPECT_FALSE(world.connect(copy).log_in().ok());
  EXPECT_TRUE(world.ask({{"command", "peer trust"}, {"peer", "alice"}})["ok"]);
  world.advance(2min);
  EXPECT_TRUE(world.connect(copy).log_in().ok());
  EXPECT_FALSE(world.ask({{"command", "peer trust"}, {"peer", "alice"}})["ok"]) << "nothing asked";
}

TEST_F(LimitsTest, AMemberSendsSignalsAtItsRateAndOthersAreNotHeldUp) {
  World::Member mallory = world.join("mallory");
  World::Member alice = world.join("alice");
  World::Member bob = world.join("bob");
  const auto stream = bob.client->connect_signal();
  constexpr int kBurst = static_cast<int>(Signal::kBurst);
  for (int i = 0; i < kBurst + 50; ++i) {
    EXPECT_TRUE(mallory.client->send_signal(bob.machine->key, "x").ok());
  }
  EXPECT_EQ(bob.client->bodies(stream).size(), Signal::kBurst);
  EXPECT_EQ(world.ask({{"command", "status"}})["status"]["signal_too_many"], 50);
  EXPECT_TRUE(alice.client->send_signal(bob.machine->key, "mine").ok());
  EXPECT_EQ(bob.client->bodies(stream).back(), "mine");
  world.advance(1s);
  EXPECT_TRUE(mallory.client->send_signal(bob.machine->key, "again").ok());
  EXPECT_EQ(bob.client->bodies(stream).back(), "again");
}

}  // namespace
}  // namespace trellis::server
