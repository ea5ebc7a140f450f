// What goes through the server's signal, and when.

#include "node/mesh/mesh_sim_test.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace trellis::mesh {
namespace {

std::uint64_t signals(MeshSim& sim) {
  const auto answer = nlohmann::json::parse(sim.administrate(R"({"command":"status"})"));
  return answer["status"]["signal_forwarded"];
}

TEST(MeshOffers, AHostThatIsBackOnItsOldPathsOffersOnceToEachPeer) {
  MeshSim sim(1);
  sim.start_server();
  const std::string setup_key = sim.reusable_setup_key();
  for (const char* name : {"alice", "bob", "carol"}) sim.start(sim.add_host(name), setup_key);
  ASSERT_TRUE(sim.run_until(2s, [&] { return sim.all_joined(); }));
  sim.run_for(5s);
  const std::uint64_t before = signals(sim);
  sim.crash(1);
  sim.start(1);
  ASSERT_TRUE(sim.run_until(2s, [&] { return sim.all_joined(); }));
  sim.run_for(20s);  // each host sends a beat to itself after 30 s
  EXPECT_EQ(signals(sim) - before, 4U) << "two offers, two answers";
}

}  // namespace
}  // namespace trellis::mesh
