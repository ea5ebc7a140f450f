#include "node/uplink/fixture_test.h"

namespace trellis::uplink {
namespace {

using wire::management::TrellisUpdate;

class SyncTest : public UplinkTest {
 protected:
  TrellisUpdate carol_joins(std::uint64_t base, std::uint64_t serial) const {
    TrellisUpdate update;
    update.set_base_serial(base);
    update.set_serial(serial);
    *update.add_changed() = entry(carol_, "carol", "100.92.0.3/32");
    return update;
  }
  std::size_t peers() { return uplink().map()->peers.size(); }
  void restart_with(Options with) {
    server_.members.insert(alice_.public_key);
    server_.keys[alice_.key_name_field()] = alice_.rosenpass;
    agent_ = make_agent(alice_, kAliceAt, std::move(with));
  }

  Person carol_{random_};
};

TEST_F(SyncTest, AppliesChangesOfTheMap) {
  start_member();
  server_.send_update(carol_joins(1000, 1001));
  ASSERT_TRUE(net_.run_until(1s, [&] { return peers() == 2; }));
  EXPECT_EQ(status().serial, 1001U);
  TrellisUpdate leaves;
  leaves.set_base_serial(1001);
  leaves.set_serial(1002);
  leaves.add_removed(control::key_text(carol_.public_key));
  server_.send_update(leaves);
  ASSERT_TRUE(net_.run_until(1s, [&] { return peers() == 1; }));
  EXPECT_EQ(agent_->all<MapChanged>().size(), 3U);
  EXPECT_EQ(agent_->all<Synced>().size(), 1U);
  EXPECT_EQ(server_.syncs.size(), 1U);
  EXPECT_EQ(status().counters.updates, 2U);
}

TEST_F(SyncTest, AsksForAWholeMapWhenAChangeDoesNotFit) {
  start_member();
  server_.send_update(carol_joins(999, 1001));
  *server_.map.add_remote_peers() = entry(carol_, "carol", "100.92.0.3/32");
  server_.map.set_serial(1001);
  ASSERT_TRUE(net_.run_until(1s, [&] { return peers() == 2; }));
  EXPECT_EQ(server_.syncs.size(), 2U);
  EXPECT_EQ(server_.syncs[1].trellis().have_serial(), 1000U);
  EXPECT_TRUE(status().map_error.empty());
  EXPECT_EQ(server_.sync_streams(), 1U);
}

TEST_F(SyncTest, AsksForWholeMapsWhileAnEntryIsLeftOut) {
  server_.map.mutable_remote_peers(0)->set_fqdn("not a name");
  start_member();
  EXPECT_EQ(peers(), 0U);
  server_.send_update(carol_joins(1000, 1001));
  ASSERT_TRUE(net_.run_until(1s, [&] { return server_.syncs.size() == 2; }));
  EXPECT_TRUE(server_.syncs[0].trellis().deltas());
  EXPECT_FALSE(server_.syncs[1].trellis().deltas());
}

TEST_F(SyncTest, KeepsTheMapWhenTheStreamEndsAndAsksAgainSoon) {
  start_member();
  for (const auto& status :
       {grpc::Status{}, grpc::Status{grpc::StatusCode::Unavailable, "later"}}) {
    const std::size_t before = server_.syncs.size();
    const TimePoint ended = net_.now();
    server_.end_all(control::kSync, status);
    ASSERT_TRUE(net_.run_until(2s, [&] { return server_.syncs.size() > before; }));
    EXPECT_GT(net_.now() - ended, 200ms);
    EXPECT_LT(net_.now() - ended, 1s);
    net_.run_for(20ms);
    EXPECT_TRUE(this->status().synced);
  }
  EXPECT_EQ(agent_->all<MapChanged>().size(), 1U);
  EXPECT_EQ(agent_->all<Synced>().size(), 3U);
  EXPECT_EQ(server_.logins.size(), 1U);
}

TEST_F(SyncTest, AsksMoreAndMoreSeldomWhenEveryStreamEndsAtOnce) {
  start_member();
  server_.fault = [](const std::string& method) -> std::optional<grpc::Status> {
    if (method != control::kSync) return {};
    return grpc::Status{grpc::StatusCode::Internal, "broken"};
  };
  server_.end_all(control::kSync, {});
  net_.run_for(5min);
  EXPECT_LT(server_.called(control::kSync), 60);
  EXPECT_EQ(status().server, LineState::Up);
}

TEST_F(SyncTest, IgnoresAMapOlderThanTheOneInForceAndSaysSo) {
  start_member();
  server_.map.set_serial(999);
  server_.map.clear_remote_peers();
  server_.send_map();
  net_.run_for(100ms);
  EXPECT_EQ(peers(), 1U);
  EXPECT_EQ(status().serial, 1000U);
  EXPECT_NE(status().map_error.find("older"), std::string::npos);
  server_.map.set_serial(1000);  // the same number may come again
  server_.send_map();
  net_.run_for(100ms);
  EXPECT_EQ(peers(), 0U);
  EXPECT_TRUE(status().map_error.empty());
}

TEST_F(SyncTest, NoMapIsTheLastOneForEver) {
  start_member();
  for (const std::uint64_t serial : {~std::uint64_t{0}, std::uint64_t{1} << 63,
                                     std::uint64_t{1} << 46, 1000 + (std::uint64_t{1} << 33)}) {
    server_.map.set_serial(serial);
    server_.map.clear_remote_peers();
    server_.send_map();
    net_.run_for(100ms);
    EXPECT_EQ(status().serial, 1000U);
    EXPECT_NE(status().map_error.find("too far ahead"), std::string::npos);
  }
  server_.map.set_serial(1001);
  server_.send_map();
  net_.run_for(100ms);
  EXPECT_EQ(status().serial, 1001U);
  EXPECT_TRUE(status().map_error.empty());
}

TEST_F(SyncTest, NoChangeMakesTheLastMapEither) {
  start_member();
  server_.send_update(carol_joins(1000, ~std::uint64_t{0}));
  net_.run_for(100ms);
  EXPECT_EQ(status().serial, 1000U);
}

TEST_F(SyncTest, TheFirstMapIsTakenUpToWhatAClockCanShow) {
  server_.map.set_serial((std::uint64_t{1} << 46) + 1);
  server_.members.insert(alice_.public_key);
  server_.keys[alice_.key_name_field()] = alice_.rosenpass;
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(2s);
  EXPECT_FALSE(uplink().map());
  server_.map.set_serial(1'760'000'000'000);
  server_.send_map();
  net_.run_for(100ms);
  EXPECT_EQ(status().serial, 1'760'000'000'000U);
}

TEST_F(SyncTest, AServerThatWasAwayForAYearIsBelievedByTheClock) {
  start_member();
  uplink().set_wall_clock(WallTime{1'760'000'000'000'000'000});
  server_.map.set_serial(1'760'000'000'000);
  server_.send_map();
  net_.run_for(100ms);
  EXPECT_EQ(status().serial, 1'760'000'000'000U);
}

TEST_F(SyncTest, KeepsTheMapWhenTheNextOneCannotBeUsed) {
  start_member();
  server_.map.set_serial(1001);
  server_.map.clear_firewall_rules();  // would mean that everything is allowed
  server_.send_map();
  net_.run_for(100ms);
  EXPECT_EQ(peers(), 1U);
  EXPECT_EQ(status().serial, 1000U);
  EXPECT_FALSE(status().map_error.empty());
}

TEST_F(SyncTest, StartsWithTheCachedMapOfTheSameServer) {
  start_member();
  Options cached = options();
  cached.map = *uplink().map();
  cached.map->serial = 2000;
  cached.server_key = crypto::public_key(server_.box);
  agent_.reset();
  restart_with(std::move(cached));
  ASSERT_TRUE(uplink().map());
  EXPECT_EQ(peers(), 1U);
  net_.run_for(1s);
  EXPECT_EQ(status().serial, 2000U);  // the server's is older
  EXPECT_FALSE(agent_->has<MapChanged>());
  EXPECT_EQ(server_.syncs.back().trellis().have_serial(), 2000U);
  EXPECT_NE(status().map_error.find("older"), std::string::npos);
}

TEST_F(SyncTest, SaysNothingNewWhenTheCachedMapIsStillInForce) {
  start_member();
  Options cached = options();
  cached.map = *uplink().map();
  cached.server_key = crypto::public_key(server_.box);
  agent_.reset();
  restart_with(std::move(cached));
  ASSERT_TRUE(run_until_event<Synced>(1s));
  EXPECT_FALSE(agent_->has<MapChanged>());
}

TEST_F(SyncTest, TakesTheMapOfAnotherServerWhateverItsNumber) {
  start_member();
  Options cached = options();
  cached.map = *uplink().map();
  cached.map->serial = 2000;
  cached.server_key = crypto::public_key(crypto::generate_private_key(random_));
  agent_.reset();
  restart_with(std::move(cached));
  ASSERT_TRUE(run_until_event<MapChanged>(1s));
  EXPECT_EQ(status().serial, 1000U);
}

TEST_F(SyncTest, IsRemovedFromTheNetworkAndComesBackByItself) {
  start_member();
  server_.members.clear();
  server_.map.clear_remote_peers();
  server_.map.set_serial(1001);
  server_.send_map();
  server_.end_all(control::kSync, {});
  ASSERT_TRUE(run_until_event<Refused>(2s));
  const Refused refused = agent_->all<Refused>().at(0);
  EXPECT_EQ(refused.reason, Refusal::Removed);
  EXPECT_FALSE(refused.permanent);
  EXPECT_NE(refused.message.find("removed"), std::string::npos);
  EXPECT_EQ(peers(), 0U);
  EXPECT_EQ(status().signal, SignalState::Down);
  net_.run_for(10min);
  EXPECT_LT(server_.logins.size(), 20U);
  server_.members.insert(alice_.public_key);  // the right backup is back
  agent_->events().clear();
  EXPECT_TRUE(run_until_event<Synced>(80s));
}

TEST_F(SyncTest, DoesNotWaitForEverForTheFirstMap) {
  server_.silent = {std::string(control::kSync)};
  restart_with(options());
  net_.run_for(29s);
  EXPECT_EQ(server_.called(control::kSync), 1);
  net_.run_for(3s);
  EXPECT_EQ(server_.called(control::kSync), 2);
  EXPECT_NE(status().map_error.find("no map"), std::string::npos);
}

TEST_F(SyncTest, PassesOverWhatIsNotInItsEnvelope) {
  start_member();
  const auto forged = [&](const crypto::PrivateKey& sender) {
    wire::management::SyncResponse response;
    *response.mutable_network_map() = server_.map;
    response.mutable_network_map()->set_serial(5000);
    return control::seal_message(*control::BoxChannel::create(sender, alice_.public_key), response,
                                 random_);
  };
  server_.send_raw(control::kSync, forged(bob_.key));
  server_.send_raw(control::kSync, ByteVector(1000, std::byte{0x55}));
  server_.send_raw(control::kSync, {});
  net_.run_for(100ms);
  EXPECT_EQ(status().serial, 1000U);
  EXPECT_EQ(status().counters.maps_refused, 3U);
  EXPECT_EQ(status().server, LineState::Up);
}

}  // namespace
}  // namespace trellis::uplink
