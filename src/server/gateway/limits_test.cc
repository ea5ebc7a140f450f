// What members and strangers may cost the server, and each other.

#include "protocol/control/envelope.h"
#include "protocol/control/message.h"
#include "server/gateway/fixture_test.h"
#include "server/management/channels.h"
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

TEST_F(LimitsTest, StrangersOfOnePlaceHaveABudgetOfRequestsAndMembersThereAreNotHeldUp) {
  World::Member alice = world.join("alice");
  world.advance(20s);  // what alice used of it comes back
  Client& stranger = world.connect(world.stock_machine("x"));
  Client& other = world.connect(world.stock_machine("y"), "192.0.2.7");
  for (int i = 0; i < static_cast<int>(Channels::kBurst); ++i) {
    ASSERT_EQ(stranger.log_in().code, StatusCode::PermissionDenied);
  }
  EXPECT_EQ(stranger.log_in().code, StatusCode::ResourceExhausted);
  // Nobody tries to open this box, which cannot be opened.
  const auto forged = control::format_envelope({stranger.machine.key, ByteVector(100)});
  EXPECT_EQ(stranger.status_of(stranger.ask(control::kLogin, forged)).code,
            StatusCode::ResourceExhausted);
  EXPECT_EQ(other.status_of(other.ask(control::kLogin, forged)).code, StatusCode::InvalidArgument);
  EXPECT_EQ(other.log_in().code, StatusCode::PermissionDenied);
  EXPECT_TRUE(alice.client->log_in().ok()) << "from the same address";
  EXPECT_TRUE(tell_version(alice, "2").ok());
  EXPECT_EQ(world.ask({{"command", "status"}})["status"]["requests_refused"], 2);
  world.advance(1s);
  EXPECT_EQ(stranger.log_in().code, StatusCode::PermissionDenied) << "by and by";
}

TEST_F(LimitsTest, AMemberThatSpeaksForStrangersHasTheirBudget) {
  World::Member alice = world.join("alice");
  Machine& stranger = world.stock_machine("x");
  const auto forged = control::format_envelope({stranger.key, ByteVector(100)});
  const auto ask = [&] {
    return alice.client->status_of(alice.client->ask(control::kLogin, forged)).code;
  };
  world.advance(20s);
  for (int i = 0; i < static_cast<int>(Channels::kBurst); ++i) {
    ASSERT_EQ(ask(), StatusCode::InvalidArgument);
  }
  EXPECT_EQ(ask(), StatusCode::ResourceExhausted);
}

TEST_F(LimitsTest, WhoKnowsAStockAgentsKeyIsAStrangerAllTheSame) {
  Machine& carol = world.stock_machine("carol");
  Client& client = world.connect(carol);
  ASSERT_TRUE(client.log_in(everybody).ok());
  world.cut(client);  // carol is away
  Client& thief = world.connect(world.stock_machine("thief"), "203.0.113.9");
  const auto stream = thief.connect_signal_as(carol.key);
  EXPECT_TRUE(thief.calls[stream].headers) << "it cannot be told from carol";
  const auto big = thief.ask(control::kSignalSend, ByteVector(100'000));
  EXPECT_EQ(thief.status_of(big).code, StatusCode::ResourceExhausted);
  world.advance(31s);
  EXPECT_FALSE(thief.open);
}

TEST_F(LimitsTest, AClaimFromElsewhereCountsAsAStranger) {
  world.options.limits.strangers_per_source_max = 1;
  world.crash();
  world.start();
  World::Member carol = world.join_stock("carol");
  Client& thief = world.connect(world.stock_machine("thief"), "203.0.113.9");
  thief.connect_signal_as(carol.machine->key);
  Client& second = world.connect(world.stock_machine("second"), "203.0.113.9");
  world.run();
  EXPECT_FALSE(second.open);
}

TEST_F(LimitsTest, AClaimFromElsewhereTakesNoPlaceOfAStockAgentThatIsWhereItsLoginsComeFrom) {
  World::Member carol = world.join_stock("carol");
  World::Member bob = world.join("bob");
  Client& thief = world.connect(world.stock_machine("thief"), "203.0.113.9");
  const auto stolen = thief.connect_signal_as(carol.machine->key);
  Client& signal = world.connect(*carol.machine);
  const auto stream = signal.connect_signal();
  EXPECT_EQ(thief.status_of(stolen).message, "peer registered again") << "carol is better";
  EXPECT_EQ(thief.status_of(thief.connect_signal_as(carol.machine->key)).code,
            StatusCode::AlreadyExists);
  EXPECT_EQ(thief.send_signal_from(carol.machine->key, bob.machine->key, as_bytes("x")).code,
            StatusCode::PermissionDenied);
  bob.client->send_signal(carol.machine->key, "hers");
  EXPECT_EQ(signal.bodies(stream), std::vector<std::string>{"hers"});
  world.advance(31s);
  EXPECT_TRUE(signal.open);
  EXPECT_FALSE(thief.open);
}

TEST_F(LimitsTest, AStockAgentWithTwoAddressesKeepsItsLineToSignal) {
  World::Member carol = world.join_stock("carol");
  World::Member bob = world.join("bob");
  Client& signal = world.connect(*carol.machine, "2001:db8::1");
  const auto stream = signal.connect_signal();
  world.advance(10min);
  EXPECT_TRUE(signal.open);
  bob.client->send_signal(carol.machine->key, "x");
  EXPECT_EQ(signal.bodies(stream).size(), 1U);
}

TEST_F(LimitsTest, AStockAgentWhoseLoginComesAfterItsRegistrationIsNoStrangerFromThenOn) {
  World::Member carol = world.join_stock("carol");
  world.crash();
  world.start();
  Client& signal = world.connect(*carol.machine);
  signal.connect_signal();
  Client& client = world.connect(*carol.machine);
  ASSERT_TRUE(client.log_in().ok());
  world.advance(10min);  // "client" is closed in it: nothing runs on it
  EXPECT_TRUE(signal.open);
  const ByteVector offer = control::format_signal_envelope(
      {carol.machine->key, carol.machine->key, ByteVector(500'000)});
  EXPECT_TRUE(signal.status_of(signal.ask(control::kSignalSend, offer)).ok());
}

TEST_F(LimitsTest, WhatARemovedMachineHasOpenEndsWithAReasonAndItsConnectionIsClosed) {
  World::Member alice = world.join("alice");
  World::Member bob = world.join("bob");
  const auto signal = bob.client->connect_signal();
  const auto upload = bob.client->grpc.start(world.now, control::kKeyUpload);
  world.run();
  EXPECT_TRUE(world.ask({{"command", "peer remove"}, {"peer", "bob"}})["ok"]);
  const grpc::Status removed{StatusCode::PermissionDenied,
                             "this machine was removed from the network"};
  EXPECT_EQ(bob.client->status_of(bob.sync), removed);
  EXPECT_EQ(bob.client->status_of(signal), removed);
  EXPECT_EQ(bob.client->status_of(upload), removed);
  EXPECT_EQ(bob.client->status_of(bob.client->fetch(alice.machine->key_name)).code,
            StatusCode::PermissionDenied);
  EXPECT_EQ(bob.client->send_signal(alice.machine->key, "x").code, StatusCode::PermissionDenied);
  world.advance(4s);
  EXPECT_TRUE(bob.client->open);
  const auto big = bob.client->ask(control::kLogin, ByteVector(100'000));
  EXPECT_EQ(bob.client->status_of(big).code, StatusCode::ResourceExhausted) << "a stranger";
  world.advance(1s);
  EXPECT_FALSE(bob.client->open);
  EXPECT_TRUE(alice.client->open);
}

TEST_F(LimitsTest, ARemovedMachineMayJoinAgainOnItsConnection) {
  World::Member bob = world.join("bob");
  EXPECT_TRUE(world.ask({{"command", "peer remove"}, {"peer", "bob"}})["ok"]);
  ASSERT_TRUE(bob.client->log_in(everybody).ok());
  bob.client->sync();
  world.advance(10min);
  EXPECT_TRUE(bob.client->open);
}

TEST_F(LimitsTest, WhoLogsOutHasItsAnswerAndIsSentAway) {
  World::Member bob = world.join("bob");
  const auto call =
      bob.client->ask(control::kLogout, bob.client->sealed(wire::management::Empty{}));
  EXPECT_TRUE(bob.client->status_of(call).ok());
  EXPECT_EQ(bob.client->status_of(bob.sync).code, StatusCode::PermissionDenied);
  world.advance(5s);
  EXPECT_FALSE(bob.client->open);
}

TEST_F(LimitsTest, AStockAgentThatIsRemovedReadsTheEndOfItsStreamAndIsSentAway) {
  World::Member carol = world.join_stock("carol");
  EXPECT_TRUE(world.ask({{"command", "peer remove"}, {"peer", "carol"}})["ok"]);
  EXPECT_TRUE(carol.client->last_map(carol.sync).remote_peers_is_empty());
  EXPECT_TRUE(carol.client->status_of(carol.sync).ok());
  EXPECT_EQ(carol.client->status_of(carol.client->sync()).code, StatusCode::PermissionDenied);
  world.advance(5s);
  EXPECT_FALSE(carol.client->open);
}

}  // namespace
}  // namespace trellis::server
