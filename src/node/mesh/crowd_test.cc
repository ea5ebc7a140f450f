// What a hundred machines cost each other, in virtual time.

#include "node/mesh/mesh_sim_test.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

namespace trellis::mesh {
namespace {

constexpr std::size_t kCrowd = 99;

/// What has been used so far, by all together.
struct Usage {
  TimePoint at;
  std::uint64_t from_server = 0;  // bytes of streams
  std::uint64_t to_server = 0;    // of all hosts but the last one
  std::uint64_t datagrams = 0;
  std::uint64_t key_bytes = 0;
  std::clock_t processor = 0;
};

Usage usage(MeshSim& sim) {
  Usage result{.at = sim.now(), .processor = std::clock()};
  result.from_server = sim.streams().bytes_sent(MeshSim::server_address());
  for (std::size_t i = 0; i < kCrowd; ++i) {
    result.to_server += sim.streams().bytes_sent(sim.address(i).address);
  }
  result.datagrams = sim.net().counters().sent;
  result.key_bytes = sim.key_bytes_moved();
  return result;
}

void print(const std::string& what, const Usage& before, const Usage& after) {
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(after.at - before.at);
  fmt::print(
      "  {:<44} {:>6} ms, the server sends {:>7} bytes and gets {:>6} from the others, {:>5} "
      "datagrams, {:>8} bytes of keys, {:.2f} s of processor time\n",
      what, took.count(), after.from_server - before.from_server,
      after.to_server - before.to_server, after.datagrams - before.datagrams,
      after.key_bytes - before.key_bytes,
      static_cast<double>(after.processor - before.processor) / CLOCKS_PER_SEC);
}

bool maps_name(MeshSim& sim, std::size_t peers) {
  for (std::size_t i = 0; i < sim.hosts(); ++i) {
    const auto& map = sim.node(i).map();
    if (!map || map->peers.size() != peers) return false;
  }
  return true;
}

// [S14]
TEST(MeshCrowd, TheHundredthHostCostsTheOthersALineOfTheirMaps) {
  MeshSim sim(1);
  sim.start_server();
  const std::string setup_key = sim.reusable_setup_key();
  for (std::size_t i = 0; i <= kCrowd; ++i) sim.add_host("host" + std::to_string(i));
  const Usage empty = usage(sim);
  for (std::size_t i = 0; i < kCrowd; ++i) sim.start(i, setup_key);
  ASSERT_TRUE(sim.run_until(60s, [&] {
    for (std::size_t i = 0; i < kCrowd; ++i) {
      if (!sim.node(i).map() || sim.node(i).map()->peers.size() != kCrowd - 1) return false;
    }
    return true;
  }));
  print("99 hosts join, until each knows all", empty, usage(sim));
  sim.run_for(2s);

  const Usage quiet = usage(sim);
  sim.run_for(2s);
  const Usage still = usage(sim);
  print("nothing happens", quiet, still);

  sim.start(kCrowd, setup_key);
  ASSERT_TRUE(sim.run_until(10s, [&] { return maps_name(sim, kCrowd); }));
  const Usage joined = usage(sim);
  print("the 100th joins, until all know it", still, joined);

  const std::uint64_t received = sim.received(kCrowd);
  sim.ping(0, kCrowd);
  ASSERT_TRUE(sim.run_until(5s, [&] { return sim.received(kCrowd) > received; }));
  EXPECT_TRUE(sim.joined(0, kCrowd));
  const Usage reached = usage(sim);
  print("one of the others sends it a first packet", joined, reached);

  // Ten times what it is, and far from what a whole map for each would be.
  EXPECT_LT(joined.at - still.at, 3s);
  EXPECT_LT(joined.to_server - still.to_server, kCrowd * 1000);
  EXPECT_LE(joined.key_bytes - still.key_bytes, 800U) << "one key of the simulation, to the server";
  EXPECT_LT(reached.at - joined.at, 2s);
}

}  // namespace
}  // namespace trellis::mesh
