#include "protocol/control/key_text.h"
#include "server/gateway/fixture_test.h"

#include <gmock/gmock.h>

// One agent has one connection: what happens when the same keys come a second time.

namespace trellis::server {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

class InstanceTest : public GatewayTest {
 protected:
  /// Another start of the agent, with the same state.
  Machine& copy_of(const Machine& machine) {
    world.machines.push_back(std::make_unique<Machine>(
        Machine{machine.host_name, machine.wireguard.clone(), machine.key, machine.rosenpass,
                machine.key_name, world.random.bytes<16>()}));
    return *world.machines.back();
  }
};

TEST_F(InstanceTest, ACopyOfAMachineThatLivesIsRefusedAndNamed) {
  World::Member alice = world.join("alice");
  Client& copy = world.connect(copy_of(*alice.machine), "203.0.113.9");
  const auto status = copy.log_in();
  EXPECT_EQ(status.code, StatusCode::FailedPrecondition);
  EXPECT_THAT(status.message, HasSubstr("192.0.2.1"));
  EXPECT_THAT(status.message, HasSubstr("copied"));
  EXPECT_THAT(world.peer("alice")["warnings"].dump(), HasSubstr("203.0.113.9"));
  EXPECT_TRUE(alice.client->open);
  EXPECT_EQ(alice.client->status_of(alice.sync).message, "still runs");
  EXPECT_TRUE(alice.client->log_in().ok());
}

TEST_F(InstanceTest, ARestartedAgentTakesThePlaceOfItsDeadConnection) {
  World::Member alice = world.join("alice");
  alice.client->stuck = true;  // the host lost its power
  Client& again = world.connect(copy_of(*alice.machine));
  again.server_key();
  const auto call = again.start_login();
  EXPECT_EQ(again.status_of(call).message, "still runs");
  world.advance(1499ms);
  EXPECT_EQ(again.status_of(call).message, "still runs");
  world.advance(1ms);
  EXPECT_TRUE(again.status_of(call).ok());
  EXPECT_TRUE(world.gateway->to_close(alice.client->id));
  EXPECT_TRUE(world.peer("alice")["warnings"].empty());
}

TEST_F(InstanceTest, ARestartedAgentWhoseOldConnectionIsClosedNeedNotWait) {
  World::Member alice = world.join("alice");
  world.cut(*alice.client);
  EXPECT_TRUE(world.connect(copy_of(*alice.machine)).log_in().ok());
}

TEST_F(InstanceTest, AWaitEndsWhenTheOldConnectionCloses) {
  World::Member alice = world.join("alice");
  alice.client->stuck = true;
  Client& again = world.connect(copy_of(*alice.machine));
  const auto call = again.start_login();
  EXPECT_EQ(again.status_of(call).message, "still runs");
  world.cut(*alice.client);
  EXPECT_TRUE(again.status_of(call).ok());
}

TEST_F(InstanceTest, TheSameStartOnANewConnectionClosesTheOldAtOnce) {
  World::Member alice = world.join("alice");  // then its network changes
  Client& again = world.connect(*alice.machine, "198.51.100.7");
  EXPECT_TRUE(again.log_in().ok());
  world.run();
  EXPECT_FALSE(alice.client->open);
  again.sync();
  EXPECT_EQ(world.peer("alice")["source"], "198.51.100.7");
}

TEST_F(InstanceTest, TwoThatWaitAreNotBothLetIn) {
  World::Member alice = world.join("alice");
  alice.client->stuck = true;
  Client& one = world.connect(copy_of(*alice.machine), "198.51.100.1");
  Client& two = world.connect(copy_of(*alice.machine), "198.51.100.2");
  const auto first = one.start_login();
  const auto second = two.start_login();
  world.advance(1500ms);
  world.advance(1500ms);
  EXPECT_NE(one.status_of(first).ok(), two.status_of(second).ok());
}

TEST_F(InstanceTest, WhoGaveUpWaitingIsForgotten) {
  World::Member alice = world.join("alice");
  alice.client->stuck = true;
  Client& again = world.connect(copy_of(*alice.machine));
  again.start_login();
  world.cut(again);
  world.advance(2s);
  EXPECT_FALSE(world.gateway->to_close(alice.client->id)) << "nobody came in its place";
}

TEST_F(InstanceTest, ARefusedCopyHearsNothingOfTheMachine) {
  World::Member alice = world.join("alice");
  World::Member bob = world.join("bob");
  const auto stream = alice.client->connect_signal();
  Client& copy = world.connect(copy_of(*alice.machine), "203.0.113.9");
  EXPECT_FALSE(copy.log_in().ok());
  EXPECT_EQ(copy.status_of(copy.sync()).code, StatusCode::FailedPrecondition);
  EXPECT_FALSE(copy.status_of(copy.connect_signal()).ok());
  EXPECT_EQ(copy.send_signal(bob.machine->key, "x").code, StatusCode::PermissionDenied);
  EXPECT_EQ(copy.status_of(copy.fetch(bob.machine->key_name)).code, StatusCode::PermissionDenied);
  EXPECT_TRUE(bob.client->send_signal(alice.machine->key, "to alice").ok());
  EXPECT_EQ(alice.client->bodies(stream).size(), 1U);
}

TEST_F(InstanceTest, ARefusedCopyIsNoMemberByTheLoginOfAnotherMachine) {
  World::Member alice = world.join("alice");
  World::Member carol = world.join_stock("carol");
  Client& copy = world.connect(copy_of(*alice.machine), "203.0.113.9");
  ASSERT_FALSE(copy.log_in().ok());
  const auto server = control::parse_key_text(copy.server_key().key());
  const auto channel = control::BoxChannel::create(carol.machine->wireguard, *server);
  const auto as_carol =
      copy.ask(control::kLogin,
               control::seal_message(*channel, wire::management::LoginRequest{}, world.random));
  ASSERT_TRUE(copy.status_of(as_carol).ok());
  EXPECT_FALSE(copy.status_of(copy.connect_signal()).ok());
  EXPECT_EQ(copy.send_signal(carol.machine->key, "x").code, StatusCode::PermissionDenied);
  EXPECT_EQ(copy.status_of(copy.fetch(alice.machine->key_name)).code, StatusCode::PermissionDenied);
  const auto leave = copy.ask(control::kLogout, copy.sealed(wire::management::Empty{}));
  EXPECT_EQ(copy.status_of(leave).code, StatusCode::Unauthenticated);
  EXPECT_FALSE(world.peer("alice").is_null());
}

TEST_F(InstanceTest, ManyLoginsAtOnceDoNotTakeThePlaceOfAMachineThatLives) {
  World::Member alice = world.join("alice");
  Client& copy = world.connect(copy_of(*alice.machine), "203.0.113.9");
  copy.server_key();
  alice.client->stuck = true;  // its answers are on their way
  std::vector<grpc::CallId> calls;
  for (int i = 0; i < 40; ++i) calls.push_back(copy.start_login());
  world.advance(200ms);
  alice.client->stuck = false;
  world.advance(3s);
  for (const auto call : calls) EXPECT_FALSE(copy.status_of(call).ok());
  EXPECT_EQ(copy.status_of(calls.front()).code, StatusCode::FailedPrecondition);
  EXPECT_EQ(copy.status_of(calls.back()).code, StatusCode::Unavailable) << "too many";
  EXPECT_TRUE(alice.client->open);
}

TEST_F(InstanceTest, OfStockAgentsTheNewestWins) {
  World::Member carol = world.join_stock("carol");
  Client& again = world.connect(*carol.machine);
  EXPECT_TRUE(again.log_in().ok());
  const auto sync = again.sync();
  EXPECT_EQ(again.maps(sync).size(), 1U);
  EXPECT_NE(carol.client->status_of(carol.sync).message, "still runs");
}

}  // namespace
}  // namespace trellis::server
