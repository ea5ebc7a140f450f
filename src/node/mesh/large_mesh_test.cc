// Networks with more peers than one wants ready. The numbers are small here.

#include "node/mesh/mesh_sim_test.h"

#include <gtest/gtest.h>

namespace trellis::mesh {
namespace {

class LargeMesh : public ::testing::Test {
 protected:
  /// Host 0 has `limits`, the others only make nothing ready before it is needed.
  void start(std::size_t hosts, const Node::Limits& limits) {
    sim.start_server();
    const std::string setup_key = sim.reusable_setup_key();
    for (std::size_t i = 0; i < hosts; ++i) sim.add_host("host" + std::to_string(i));
    sim.set_limits(limits);
    sim.start(0, setup_key);
    sim.set_limits({.ready_peers = limits.ready_peers, .wanted_peers = hosts});
    for (std::size_t i = 1; i < hosts; ++i) sim.start(i, setup_key);
    EXPECT_TRUE(sim.run_until(10s, [&] { return everybody_is_listed(hosts); }));
  }
  bool everybody_is_listed(std::size_t hosts) {
    for (std::size_t i = 0; i < hosts; ++i) {
      if (!sim.node(i).map() || sim.node(i).map()->peers.size() + 1 != hosts) return false;
    }
    return true;
  }
  bool connects(std::size_t from, std::size_t to) {
    sim.ping(from, to);
    return sim.run_until(10s, [&] { return sim.joined(from, to); });
  }
  bool wants(std::size_t host, std::size_t peer) {
    return sim.node(host).find(sim.key(peer))->wanted();
  }

  MeshSim sim{1};
};

TEST_F(LargeMesh, TrafficMakesAPairReadyAndNothingElseDoes) {
  start(4, {.ready_peers = 0});
  sim.run_for(60s);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(sim.wanted(i), 0U);
  EXPECT_FALSE(sim.joined(0, 1));
  const std::uint64_t moved = sim.key_bytes_moved();
  EXPECT_TRUE(connects(0, 1));
  sim.run_for(1s);
  EXPECT_EQ(sim.received(1), 1U) << "the packet that asked for it";
  EXPECT_TRUE(wants(1, 0)) << "by the offer";
  EXPECT_EQ(sim.wanted(2), 0U);
  EXPECT_LE(sim.key_bytes_moved(), 2 * moved) << "two keys, and not four times three";
}

TEST_F(LargeMesh, APeerThatIsUnusedForLongestMakesRoom) {
  start(5, {.ready_peers = 0, .wanted_peers = 2});
  EXPECT_TRUE(connects(0, 1));
  sim.run_for(10s);
  EXPECT_TRUE(connects(0, 2));
  sim.run_for(10s);
  sim.ping(0, 1);  // 2 is the one that was not used for longest
  sim.run_for(1s);
  EXPECT_TRUE(connects(0, 3));
  EXPECT_EQ(sim.wanted(0), 2U);
  EXPECT_TRUE(wants(0, 1));
  EXPECT_FALSE(wants(0, 2));
  EXPECT_TRUE(sim.joined(0, 1));
  // It comes back when it is needed.
  EXPECT_TRUE(connects(0, 2));
  EXPECT_FALSE(wants(0, 1));
  EXPECT_EQ(sim.wanted(0), 2U);
}

TEST_F(LargeMesh, OffersMoveNobodyWhoWasOfUseLately) {
  start(5, {.ready_peers = 0, .wanted_peers = 2});
  EXPECT_TRUE(connects(0, 1));
  EXPECT_TRUE(connects(0, 2));
  sim.ping(3, 0);
  sim.ping(4, 0);
  for (int i = 0; i < 60; ++i) {
    sim.run_for(10s);
    sim.ping(0, 1);
    sim.ping(0, 2);
    ASSERT_TRUE(wants(0, 1) && wants(0, 2));
    ASSERT_EQ(sim.wanted(0), 2U);
  }
  // Who is not used any more makes room.
  for (int i = 0; i < 60; ++i) {
    sim.run_for(10s);
    sim.ping(0, 1);
  }
  EXPECT_TRUE(wants(0, 1));
  EXPECT_FALSE(wants(0, 2));
  EXPECT_EQ(sim.wanted(0), 2U);
}

TEST_F(LargeMesh, PlacesOfMachinesThatLeaveAreFree) {
  start(4, {.ready_peers = 0, .wanted_peers = 2});
  EXPECT_TRUE(connects(0, 1));
  EXPECT_TRUE(connects(0, 2));
  sim.log_out(2);
  EXPECT_TRUE(sim.run_until(3s, [&] { return sim.node(0).map()->peers.size() == 2; }));
  EXPECT_TRUE(connects(3, 0)) << "its offer moves nobody";
  EXPECT_TRUE(sim.joined(0, 1));
}

}  // namespace
}  // namespace trellis::mesh
