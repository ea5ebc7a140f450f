#include "protocol/control/key_text.h"
#include "protocol/control/message.h"
#include "server/gateway/fixture_test.h"

#include <gmock/gmock.h>

#include <set>

namespace trellis::server {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using wire::management::FirewallRule;
using wire::management::NetworkMap;

class SyncTest : public GatewayTest {
 protected:
  static std::set<std::string> names(const NetworkMap& map) {
    std::set<std::string> names;
    for (const auto& peer : map.remote_peers()) names.insert(peer.fqdn());
    return names;
  }
};

TEST_F(SyncTest, BeginsWithAWholeMap) {
  World::Member alice = world.join("alice");
  World::Member bob = world.join("bob");
  const auto first = bob.client->maps(bob.sync).at(0);
  EXPECT_EQ(first.infrastructure().signal().uri(), "vpn.test:8443");
  const NetworkMap& map = first.network_map();
  EXPECT_GT(map.serial(), 1'700'000'000'000U);
  EXPECT_EQ(map.peer_config().fqdn(), "bob.trellis.internal");
  ASSERT_EQ(map.remote_peers_size(), 1);
  const auto& peer = map.remote_peers(0);
  EXPECT_EQ(peer.wg_key(), control::key_text(alice.machine->key));
  EXPECT_EQ(peer.fqdn(), "alice.trellis.internal");
  EXPECT_EQ(peer.agent_version(), "0.77.1+trellis");
  ASSERT_EQ(peer.allowed_ips_size(), 2);
  const auto own = InterfaceAddress::parse(alice.client->login.peer_config().address());
  EXPECT_EQ(peer.allowed_ips(0), own->address.to_string() + "/32");
  EXPECT_EQ(peer.trellis_key_name(), control::to_field(alice.machine->key_name));
}

TEST_F(SyncTest, SaysItsPolicyInRules) {
  World::Member alice = world.join("alice");
  const NetworkMap map = alice.client->maps(alice.sync).at(0).network_map();
  EXPECT_TRUE(map.remote_peers_is_empty());
  ASSERT_EQ(map.firewall_rules_size(), 2);
  EXPECT_EQ(map.firewall_rules(0).direction(), FirewallRule::IN);
  EXPECT_EQ(map.firewall_rules(1).direction(), FirewallRule::OUT);
  for (const FirewallRule& rule : map.firewall_rules()) {
    EXPECT_EQ(rule.peer_ip(), "0.0.0.0");
    EXPECT_EQ(rule.action(), wire::management::ACCEPT);
    EXPECT_EQ(rule.protocol(), wire::management::ALL);
  }
  EXPECT_TRUE(map.route_firewall_rules_is_empty());
}

TEST_F(SyncTest, AMachineOfOursIsShownWhenItsKeyIsHere) {
  World::Member alice = world.join("alice");
  Machine& bob = world.machine("bob");
  Client& client = world.connect(bob);
  ASSERT_TRUE(client.log_in(everybody).ok());
  const auto sync = client.sync();
  world.advance(5s);
  EXPECT_EQ(alice.client->maps(alice.sync).size(), 1U) << "nothing has changed for alice";
  EXPECT_EQ(names(client.last_map(sync).network_map()),
            (std::set<std::string>{"alice.trellis.internal"}));
  client.upload(bob.rosenpass, 0);
  world.advance(100ms);
  const auto update = alice.client->last_map(alice.sync);
  ASSERT_EQ(update.trellis().changed_size(), 1);
  EXPECT_EQ(update.trellis().changed(0).trellis_key_name(), control::to_field(bob.key_name));
}

TEST_F(SyncTest, AMachineIsNotSentAWholeMapForAChangeOfItsOwn) {
  world.join("alice");
  Machine& bob = world.machine("bob");
  Client& client = world.connect(bob);
  ASSERT_TRUE(client.log_in(everybody).ok());
  const auto sync = client.sync();
  const auto serial = client.last_map(sync).network_map().serial();
  client.upload(bob.rosenpass, 0);
  world.advance(1s);
  const auto update = client.last_map(sync);
  EXPECT_FALSE(update.has_network_map());
  EXPECT_EQ(update.trellis().base_serial(), serial);
  EXPECT_GT(update.trellis().serial(), serial);
  EXPECT_EQ(update.trellis().changed_size() + update.trellis().removed_size(), 0);
}

TEST_F(SyncTest, TellsOursOnlyWhatChanges) {
  World::Member alice = world.join("alice");
  const auto serial = alice.client->last_map(alice.sync).network_map().serial();
  World::Member bob = world.join("bob");
  const auto update = alice.client->last_map(alice.sync);
  EXPECT_FALSE(update.has_network_map());
  EXPECT_FALSE(update.has_infrastructure());
  EXPECT_EQ(update.trellis().base_serial(), serial);
  EXPECT_GT(update.trellis().serial(), serial);
  ASSERT_EQ(update.trellis().changed_size(), 1);
  EXPECT_EQ(update.trellis().changed(0).wg_key(), control::key_text(bob.machine->key));

  world.ask({{"command", "peer rename"}, {"peer", "bob"}, {"name", "robert"}});
  world.advance(1s);
  const auto renamed = alice.client->last_map(alice.sync);
  EXPECT_EQ(renamed.trellis().base_serial(), update.trellis().serial());
  EXPECT_EQ(renamed.trellis().changed(0).fqdn(), "robert.trellis.internal");
  // The renamed one is told its own name, which only a whole map holds.
  EXPECT_EQ(bob.client->last_map(bob.sync).network_map().peer_config().fqdn(),
            "robert.trellis.internal");
  EXPECT_FALSE(bob.client->last_map(bob.sync).has_infrastructure());
}

TEST_F(SyncTest, TellsStockAgentsWholeMapsWithoutFieldsOfOurs) {
  World::Member carol = world.join_stock("carol");
  World::Member alice = world.join("alice");
  const auto map = carol.client->last_map(carol.sync);
  EXPECT_FALSE(map.has_trellis());
  EXPECT_FALSE(map.has_infrastructure());
  ASSERT_EQ(map.network_map().remote_peers_size(), 1);
  EXPECT_TRUE(map.network_map().remote_peers(0).trellis_key_name().empty());
  EXPECT_EQ(alice.client->maps(alice.sync).at(0).network_map().remote_peers(0).trellis_key_name(),
            "");
}

TEST_F(SyncTest, AgentsThatAskForNoDeltasGetWholeMaps) {
  World::Member alice = world.join("alice");
  const auto sync = alice.client->sync(/*deltas=*/false);
  world.join("bob");
  EXPECT_EQ(names(alice.client->last_map(sync).network_map()),
            (std::set<std::string>{"bob.trellis.internal"}));
}

TEST_F(SyncTest, TellsTheFirstChangeAtOnceAndGathersOthers) {
  World::Member alice = world.join("alice");
  world.join("bob");
  world.advance(10s);
  const std::size_t before = alice.client->maps(alice.sync).size();
  const auto rename = [&](const char* from, const char* to) {
    EXPECT_TRUE(world.ask({{"command", "peer rename"}, {"peer", from}, {"name", to}})["ok"]);
  };
  rename("bob", "b1");
  EXPECT_EQ(alice.client->maps(alice.sync).size(), before + 1) << "at once";
  rename("b1", "b2");
  rename("b2", "b3");
  world.advance(99ms);
  EXPECT_EQ(alice.client->maps(alice.sync).size(), before + 1);
  world.advance(1ms);
  const auto maps = alice.client->maps(alice.sync);
  ASSERT_EQ(maps.size(), before + 2) << "two in one";
  ASSERT_EQ(maps.back().trellis().changed_size(), 1);
  EXPECT_EQ(maps.back().trellis().changed(0).fqdn(), "b3.trellis.internal");
}

TEST_F(SyncTest, ARemovedMachineIsToldSoAndSentAway) {
  World::Member alice = world.join("alice");
  World::Member bob = world.join("bob");
  const auto signal = bob.client->connect_signal();
  world.advance(10s);
  EXPECT_TRUE(world.ask({{"command", "peer remove"}, {"peer", "bob"}})["ok"]);
  const auto last = bob.client->last_map(bob.sync);
  EXPECT_TRUE(last.remote_peers_is_empty());
  EXPECT_TRUE(last.network_map().remote_peers_is_empty());
  EXPECT_EQ(last.network_map().remote_peers_size(), 0);
  EXPECT_TRUE(last.network_map().firewall_rules_is_empty());
  EXPECT_EQ(bob.client->status_of(bob.sync).code, StatusCode::PermissionDenied);
  EXPECT_EQ(bob.client->status_of(signal).code, StatusCode::PermissionDenied);
  EXPECT_EQ(bob.client->status_of(bob.client->sync()).code, StatusCode::PermissionDenied);
  EXPECT_EQ(bob.client->log_in().code, StatusCode::PermissionDenied);
  EXPECT_FALSE(world.files.is_complete(bob.machine->key_name));
  EXPECT_THAT(alice.client->last_map(alice.sync).trellis().removed(),
              ElementsAre(control::key_text(bob.machine->key)));
}

TEST_F(SyncTest, WhoReadsSlowlyIsToldTheStateOfThingsWhenItHasRead) {
  World::Member alice = world.join("alice");
  world.join("bob");
  world.advance(10s);
  const std::size_t before = alice.client->maps(alice.sync).size();
  alice.client->stuck = true;
  for (int i = 0; i < 20; ++i) {
    const std::string from = i == 0 ? "bob" : "b" + std::to_string(i - 1);
    world.ask({{"command", "peer rename"}, {"peer", from}, {"name", "b" + std::to_string(i)}});
    world.advance(1s);
  }
  alice.client->stuck = false;
  world.run();
  const auto maps = alice.client->maps(alice.sync);
  EXPECT_LE(maps.size(), before + 2) << "not twenty";
  EXPECT_EQ(maps.back().trellis().changed(0).fqdn(), "b19.trellis.internal");
}

TEST_F(SyncTest, TheSerialNeverGoesBack) {
  World::Member alice = world.join("alice");
  const Snapshot backup = *world.store.load();
  world.join("bob");
  const auto serial = [&](Client& client) {
    EXPECT_TRUE(client.log_in().ok());
    return client.last_map(client.sync()).network_map().serial();
  };
  const auto before = serial(*alice.client);
  world.crash();
  world.start();
  const auto restarted = serial(world.connect(*alice.machine));
  EXPECT_GT(restarted, before);
  world.crash();
  world.wall.nanoseconds_since_epoch -= Duration(1h).count();  // a clock that was set back
  world.start();
  const auto set_back = serial(world.connect(*alice.machine));
  EXPECT_GT(set_back, restarted);
  world.crash();
  world.store.restore(backup);
  world.wall.nanoseconds_since_epoch += Duration(2h).count();
  world.start();
  EXPECT_GT(serial(world.connect(*alice.machine)), set_back) << "of a restored backup";
}

TEST_F(SyncTest, OursSyncOnlyWhereTheyHaveLoggedIn) {
  World::Member alice = world.join("alice");
  Client& elsewhere = world.connect(*alice.machine);
  EXPECT_EQ(elsewhere.status_of(elsewhere.sync()).code, StatusCode::FailedPrecondition);
  alice.client->nonce = ByteVector(32);
  EXPECT_EQ(alice.client->status_of(alice.client->sync()).code, StatusCode::Unauthenticated);
  wire::management::SyncRequest stock;  // of one who has the box, but no proof
  EXPECT_EQ(elsewhere.status_of(elsewhere.ask(control::kSync, elsewhere.sealed(stock))).code,
            StatusCode::Unauthenticated);
}

TEST_F(SyncTest, AStrangerIsToldNothing) {
  Client& stranger = world.connect(world.stock_machine("x"));
  EXPECT_EQ(stranger.status_of(stranger.sync()).code, StatusCode::PermissionDenied);
}

TEST_F(SyncTest, ANewStreamEndsTheOneBefore) {
  World::Member alice = world.join("alice");
  const auto second = alice.client->sync();
  EXPECT_NE(alice.client->status_of(alice.sync).message, "still runs");
  EXPECT_EQ(alice.client->status_of(second).message, "still runs");
  world.join("bob");
  EXPECT_EQ(alice.client->maps(second).size(), 2U);
}

TEST_F(SyncTest, EphemeralMachinesAreRemovedWhenTheyAreAwayForTenMinutes) {
  world.join("alice");
  const std::string key = world.setup_key({{"ephemeral", true}, {"reusable", true}});
  Client& guest = world.connect(world.machine("guest"));
  ASSERT_TRUE(guest.log_in(key).ok());
  guest.sync();
  world.advance(30min);
  EXPECT_FALSE(world.peer("guest").is_null()) << "it is here";
  world.cut(guest);
  world.advance(9min + 59s);
  EXPECT_FALSE(world.peer("guest").is_null());
  world.advance(1s);
  EXPECT_TRUE(world.peer("guest").is_null());
  EXPECT_FALSE(world.peer("alice").is_null());
  // One that never came further than its login, and one that a restart found away.
  ASSERT_TRUE(world.connect(world.machine("hasty")).log_in(key).ok());
  world.crash();
  world.start();
  world.advance(10min);
  EXPECT_TRUE(world.peer("hasty").is_null());
}

TEST_F(SyncTest, NoMemberMakesTheMapsOfOthersUnreadable) {
  World::Member alice = world.join("alice");
  World::Member mallory = world.join_stock("mallory");
  wire::management::SyncMetaRequest request;
  request.mutable_meta()->set_netbird_version(std::string(127, 'x') + "\u00e9");  // 129 bytes
  const auto call = mallory.client->ask(control::kSyncMeta, mallory.client->sealed(request));
  ASSERT_TRUE(mallory.client->status_of(call).ok());
  world.advance(1s);
  const auto update = alice.client->last_map(alice.sync).trellis();
  ASSERT_EQ(update.changed_size(), 1);
  EXPECT_EQ(update.changed(0).agent_version(), std::string(127, 'x') + "?");
}

TEST_F(SyncTest, TellsWhoIsHere) {
  World::Member alice = world.join("alice");
  EXPECT_EQ(world.peer("alice")["connected"], true);
  world.advance(5s);
  world.cut(*alice.client);
  world.advance(20s);
  EXPECT_EQ(world.peer("alice")["connected"], false);
  EXPECT_EQ(world.peer("alice")["last_seen_seconds"], 20);
}

TEST_F(SyncTest, AnAgentThatVanishesIsNoticed) {
  World::Member alice = world.join("alice");
  alice.client->stuck = true;
  world.advance(60s);
  EXPECT_EQ(world.peer("alice")["connected"], false);
}

}  // namespace
}  // namespace trellis::server
