// What a mesh promises to its users, in virtual time.

#include "node/mesh/mesh_sim_test.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace trellis::mesh {
namespace {

using pair::Mode;

/// A server and so many machines, started together.
std::unique_ptr<MeshSim> mesh_of(std::size_t hosts, std::uint64_t seed = 1) {
  auto sim = std::make_unique<MeshSim>(seed);
  sim->start_server();
  const std::string setup_key = sim->reusable_setup_key();
  for (std::size_t i = 0; i < hosts; ++i) sim->add_host("host" + std::to_string(i));
  for (std::size_t i = 0; i < hosts; ++i) sim->start(i, setup_key);
  return sim;
}

bool exchange_pings(MeshSim& sim, std::size_t a, std::size_t b) {
  const std::uint64_t at_a = sim.received(a);
  const std::uint64_t at_b = sim.received(b);
  sim.ping(a, b);
  sim.ping(b, a);
  return sim.run_until(1s, [&] { return sim.received(a) > at_a && sim.received(b) > at_b; });
}

// [S21, S30, S95]
TEST(Mesh, ThreeHostsWithOneSetupKeyFindEachOther) {
  auto sim = mesh_of(3);
  EXPECT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  EXPECT_TRUE(exchange_pings(*sim, 0, 1));
  EXPECT_TRUE(exchange_pings(*sim, 1, 2));
  EXPECT_TRUE(exchange_pings(*sim, 0, 2));
}

// [pair rule 6]
TEST(Mesh, APublicKeyTravelsOnceAndARestartMovesNone) {
  auto sim = mesh_of(2);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  const std::uint64_t moved = sim->key_bytes_moved();
  EXPECT_GT(moved, 0U);
  sim->crash(0);
  sim->run_for(1s);
  sim->start(0);
  EXPECT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  EXPECT_EQ(sim->key_bytes_moved(), moved);
}

TEST(Mesh, ARestartWithoutAServerBringsThePairsUp) {
  auto sim = mesh_of(3);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  sim->run_for(2s);  // what is worth remembering is written once a second
  sim->crash_server();
  for (const std::size_t host : {0U, 1U, 2U}) sim->crash(host);
  sim->run_for(5s);
  for (const std::size_t host : {0U, 1U, 2U}) sim->start(host);
  EXPECT_TRUE(sim->run_until(3s, [&] { return sim->all_joined(); }));
}

TEST(Mesh, TrafficAndRenewalsGoOnWhileTheServerIsDown) {
  auto sim = mesh_of(2);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  sim->crash_server();
  for (int i = 0; i < 600; ++i) {
    sim->run_for(1s);
    ASSERT_TRUE(exchange_pings(*sim, 0, 1)) << "after " << i << " s";
    ASSERT_TRUE(sim->all_joined());
  }
  EXPECT_GE(sim->pair(0, 1)->status(sim->now()).renewals, 4U);
}

TEST(Mesh, AServerThatComesBackIsFoundWithinSecondsAndDisturbsNobody) {
  auto sim = mesh_of(2);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  sim->crash_server();
  sim->run_for(60s);
  sim->start_server();
  const std::string setup_key = sim->reusable_setup_key();
  sim->add_host("late");
  sim->start(2, setup_key);
  EXPECT_TRUE(sim->run_until(15s, [&] { return sim->all_joined(); }));
}

TEST(Mesh, AHostThatRestartsIsBackWithinASecond) {
  auto sim = mesh_of(3);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  for (int round = 0; round < 10; ++round) {
    sim->run_for(3s);
    sim->crash(1);
    sim->run_for(500ms * (round % 4));
    sim->start(1);
    EXPECT_TRUE(sim->run_until(1s, [&] { return sim->all_joined(); })) << "round " << round;
  }
}

TEST(Mesh, AHostThatMovesIsFollowed) {
  auto sim = mesh_of(2);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  sim->move(0);
  sim->node(0).set_local_endpoints(sim->now(), {sim->address(0)});
  sim->node(0).network_changed(sim->now());
  sim->net().flush();
  EXPECT_TRUE(sim->run_until(2s, [&] { return exchange_pings(*sim, 0, 1); }));
  EXPECT_EQ(sim->pair(1, 0)->status(sim->now()).endpoint, sim->address(0));
}

TEST(Mesh, AMoveThatNobodyAnnouncedIsFollowedWithinSeconds) {
  auto sim = mesh_of(2);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  ASSERT_TRUE(exchange_pings(*sim, 0, 1));
  sim->move(0);
  bool followed = false;
  for (int tries = 0; tries < 5 && !followed; ++tries) followed = exchange_pings(*sim, 0, 1);
  EXPECT_TRUE(followed);
  EXPECT_EQ(sim->pair(1, 0)->status(sim->now()).endpoint, sim->address(0));
}

TEST(Mesh, NeitherRosenpassNorWireGuardMovesAPath) {
  auto sim = mesh_of(2);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  const auto before = sim->pair(1, 0)->status(sim->now()).endpoint;
  // All that host 0 sends, but for checks, seems to come from elsewhere.
  const Endpoint elsewhere = *Endpoint::parse("203.0.113.99:1");
  sim->net().set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    const bool stun = std::to_integer<int>(datagram.bytes[0]) < 4 && datagram.bytes.size() > 7 &&
                      datagram.bytes[4] == std::byte{0x21} && datagram.bytes[5] == std::byte{0x12};
    if (datagram.from != sim->address(0) || stun) return true;
    sim->net().inject({elsewhere, datagram.to, datagram.bytes}, 5ms);
    return false;
  });
  for (int i = 0; i < 150; ++i) {
    sim->ping(0, 1);
    sim->run_for(1s);
  }
  EXPECT_EQ(sim->pair(1, 0)->status(sim->now()).endpoint, before);
}

TEST(Mesh, AHostThatLogsOutIsGoneForTheOthers) {
  auto sim = mesh_of(3);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  sim->log_out(2);
  EXPECT_TRUE(sim->run_until(3s, [&] {
    return sim->node(0).map()->peers.size() == 1 && sim->node(1).map()->peers.size() == 1;
  }));
  EXPECT_TRUE(sim->joined(0, 1));
  EXPECT_EQ(sim->pair(0, 2), nullptr);
}

TEST(Mesh, ARenameReachesTheOthersAndDisturbsNoPair) {
  auto sim = mesh_of(2);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  const pair::Pair* before = sim->pair(0, 1);
  sim->administrate(R"({"command":"peer rename","peer":"host1","name":"database"})");
  EXPECT_TRUE(sim->run_until(2s, [&] { return sim->node(0).map()->peers[0].name == "database"; }));
  EXPECT_EQ(sim->pair(0, 1), before);
  EXPECT_EQ(sim->pair(0, 1)->config().name, "database");
  EXPECT_TRUE(sim->joined(0, 1));
}

TEST(Mesh, AKeyForWhichThereWasNoRoomIsFetchedAgain) {
  auto sim = std::make_unique<MeshSim>(1);
  sim->start_server();
  const std::string setup_key = sim->reusable_setup_key();
  for (const char* name : {"host0", "host1"}) sim->add_host(name);
  sim->set_disk_full(0, true);
  for (const std::size_t host : {0U, 1U}) sim->start(host, setup_key);
  EXPECT_FALSE(sim->run_until(10s, [&] { return sim->all_joined(); }));
  EXPECT_GT(sim->node(0).uplink().status().counters.key_bytes_received, 0U);
  sim->set_disk_full(0, false);
  sim->ping(0, 1);
  EXPECT_TRUE(sim->run_until(5s, [&] { return sim->all_joined(); }));
}

// [pair rule 10]
TEST(Mesh, APeerWithoutAKeyIsPlainToThePermissiveAndNobodyToTheStrict) {
  auto sim = std::make_unique<MeshSim>(1);
  sim->start_server();
  const std::string setup_key = sim->reusable_setup_key();
  const std::size_t permissive = sim->add_host("permissive", Mode::Permissive);
  const std::size_t strict = sim->add_host("strict", Mode::Strict);
  for (const std::size_t host : {permissive, strict}) sim->start(host, setup_key);
  ASSERT_TRUE(sim->run_until(5s, [&] { return sim->all_joined(); }));
  const std::uint64_t moved = sim->key_bytes_moved();
  sim->crash_server();
  const crypto::PublicKey stock = sim->add_keyless_member("stock");
  sim->start_server();
  ASSERT_TRUE(sim->run_until(20s, [&] {
    return sim->node(permissive).find(stock) != nullptr && sim->node(strict).find(stock) != nullptr;
  }));
  const auto why_not = [&](std::size_t host) {
    return sim->node(host).agent().find_pair(stock)->status(sim->now()).why_not;
  };
  EXPECT_TRUE(sim->node(permissive).find(stock)->wanted());
  EXPECT_FALSE(sim->node(permissive).agent().find_pair(stock)->refused());
  EXPECT_NE(why_not(permissive).find("plain WireGuard"), std::string::npos);
  EXPECT_FALSE(sim->node(strict).find(stock)->wanted());
  EXPECT_TRUE(sim->node(strict).agent().find_pair(stock)->refused());
  EXPECT_NE(why_not(strict).find("no post-quantum key"), std::string::npos);
  sim->run_for(60s);
  EXPECT_TRUE(sim->all_joined()) << "the two are not disturbed";
  EXPECT_EQ(sim->key_bytes_moved(), moved) << "there is no key to fetch";
}

TEST(Mesh, ACopyOfAMachineIsRefusedAndTheOriginalStays) {
  auto sim = mesh_of(2);
  ASSERT_TRUE(sim->run_until(2s, [&] { return sim->all_joined(); }));
  sim->run_for(5s);
  const std::size_t copy = sim->copy_host(1, "host1");
  sim->start(copy);
  EXPECT_TRUE(sim->run_until(10s, [&] { return sim->node(copy).refused().has_value(); }));
  for (int i = 0; i < 20; ++i) {
    sim->run_for(1s);
    EXPECT_EQ(sim->node(1).uplink().status().server, uplink::LineState::Up);
  }
}

/// Loss, restarts and partitions for a while, then rest.
bool survives(std::uint64_t seed) {
  testing::SeededRandom random(seed ^ 0x6d657368);
  auto sim = std::make_unique<MeshSim>(seed, testing::LinkFaults{.delay = 5ms, .jitter = 20ms});
  sim->start_server();
  const std::string setup_key = sim->reusable_setup_key();
  for (int i = 0; i < 5; ++i) sim->add_host("host" + std::to_string(i));
  for (std::size_t i = 0; i < 5; ++i) {
    sim->start(i, setup_key);
    sim->run_for(std::chrono::milliseconds(random.below(500)));
  }
  const double loss = random.unit() * 0.4;
  sim->net().set_faults({.delay = 5ms, .jitter = 40ms, .loss = loss, .duplication = 0.02});
  for (int fault = 0; fault < 12; ++fault) {
    sim->run_for(std::chrono::milliseconds(random.below(8000)));
    const std::size_t a = random.below(5);
    const std::size_t b = (a + 1 + random.below(4)) % 5;
    switch (random.below(5)) {
      case 0:
        if (sim->running(a)) sim->crash(a);
        break;
      case 1:
        if (!sim->running(a)) sim->start(a, setup_key);
        break;
      case 2:
        sim->crash_server();
        sim->run_for(std::chrono::milliseconds(random.below(3000)));
        sim->start_server();
        break;
      case 3:
        sim->set_partition(a, b, true);
        break;
      case 4:
        sim->set_partition(a, b, false);
        break;
    }
  }
  for (std::size_t a = 0; a < 5; ++a) {
    if (!sim->running(a)) sim->start(a, setup_key);
    for (std::size_t b = a + 1; b < 5; ++b) sim->set_partition(a, b, false);
  }
  sim->net().set_faults({.delay = 5ms, .jitter = 20ms});
  return sim->run_until(10s, [&] { return sim->all_joined(); });
}

TEST(MeshModel, FiveHostsAreJoinedTenSecondsAfterTheLastFault) {
  const char* seeds = std::getenv("TRELLIS_MESH_SEEDS");
  const std::uint64_t count = seeds ? std::strtoull(seeds, nullptr, 10) : 10;
  const char* first = std::getenv("TRELLIS_SEED");
  const std::uint64_t begin = first ? std::strtoull(first, nullptr, 10) : 1;
  for (std::uint64_t seed = begin; seed < begin + count; ++seed) {
    EXPECT_TRUE(survives(seed)) << "TRELLIS_SEED=" << seed;
  }
}

}  // namespace
}  // namespace trellis::mesh
