// The rules of a pair, tried against every order of faults that a small number of them allows, and
// against long runs of random ones. A failing run prints its seed or its faults; to replay a seed:
//   TRELLIS_SEED=n trellis_node_agent_test --gtest_filter='*Random*'
// The ordinary run takes a sample; `scripts/test --all` sets TRELLIS_EXHAUSTIVE=1 for all of it:
// every pair of faults, 10,000 seeds, replays through five renewals.

#include "node/agent/agent_sim_test.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace trellis::agent {
namespace {

using Fate = AgentSim::Fate;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

bool exhaustive() { return std::getenv("TRELLIS_EXHAUSTIVE") != nullptr; }

// ---- every single and every double fault of the first messages --------------------------------

enum class Fault { Drop, Duplicate, Delay, CrashSender, CrashReceiver };
constexpr Fault kFaults[] = {Fault::Drop, Fault::Duplicate, Fault::Delay, Fault::CrashSender,
                             Fault::CrashReceiver};
constexpr const char* kFaultNames[] = {"drop", "duplicate", "delay", "crash sender",
                                       "crash receiver"};

struct Step {
  std::uint64_t index;
  Fault fault;
};

struct Scenario {
  bool swap_roles;
  bool together;  // both begin at once; else the second only answers at first
  std::vector<Step> steps;

  std::string describe() const {
    std::string text = std::string(swap_roles ? "roles swapped" : "roles as drawn") +
                       (together ? ", started together" : ", one begins");
    for (const Step& step : steps) {
      text += ", " + std::string(kFaultNames[static_cast<int>(step.fault)]) + " at " +
              std::to_string(step.index);
    }
    return text;
  }
};

/// Runs the scenario and says whether both ends had one key, and a session under it, within 10 s.
bool converges(const Scenario& scenario) {
  AgentSim sim(/*seed=*/99);
  if (scenario.swap_roles) sim.swap_rosenpass_keys();
  const auto crash_and_restart = [&sim](std::size_t host) {
    sim.at(sim.now(), [&sim, host] {
      sim.crash(host);
      sim.start(host);
    });
  };
  sim.interceptor = [&](std::size_t from, std::uint64_t index, ByteView) -> std::optional<Fate> {
    for (const Step& step : scenario.steps) {
      if (step.index != index) continue;
      switch (step.fault) {
        case Fault::Drop:
          return Fate::Drop;
        case Fault::Duplicate:
          return Fate::Duplicate;
        case Fault::Delay:
          return Fate::Delay;
        case Fault::CrashSender:
          crash_and_restart(from);
          return Fate::Deliver;
        case Fault::CrashReceiver:
          crash_and_restart(1 - from);
          return Fate::Deliver;
      }
    }
    return std::nullopt;
  };
  sim.start(0);
  sim.start(1, scenario.together);
  // A pair that knows one endpoint only may have to wait until traffic shows that it is broken.
  const TimePoint end = sim.now() + (scenario.together ? 10s : 30s);
  while (sim.now() < end) {
    sim.ping(0);
    sim.ping(1);
    if (sim.run_until(sim.now() + 250ms, [&] { return false; }), sim.agreed()) break;
  }
  if (!sim.agreed()) return false;
  sim.interceptor = nullptr;  // the faults that are left would only hit the packet that we count
  const std::uint64_t before = sim.received(1);
  sim.ping(0);
  sim.run_for(2s);
  return sim.received(1) > before;
}

constexpr std::uint64_t kFirstMessages = 10;

TEST(PairModel, AgreesAfterEverySingleFault) {
  for (const bool swap : {false, true}) {
    for (const bool together : {false, true}) {
      for (std::uint64_t i = 0; i < kFirstMessages; ++i) {
        for (const Fault fault : kFaults) {
          const Scenario scenario{swap, together, {{i, fault}}};
          EXPECT_TRUE(converges(scenario)) << scenario.describe();
        }
      }
    }
  }
}

TEST(PairModel, AgreesAfterEveryPairOfFaults) {
  constexpr std::uint64_t kSample = 23;  // coprime to the numbers of all choices
  std::uint64_t number = 0;
  for (const bool swap : {false, true}) {
    for (const bool together : {false, true}) {
      for (std::uint64_t i = 0; i < kFirstMessages; ++i) {
        for (std::uint64_t j = i + 1; j < kFirstMessages; ++j) {
          for (const Fault first : kFaults) {
            for (const Fault second : kFaults) {
              if (!exhaustive() && ++number % kSample != 0) continue;
              const Scenario scenario{swap, together, {{i, first}, {j, second}}};
              ASSERT_TRUE(converges(scenario)) << scenario.describe();
            }
          }
        }
      }
    }
  }
}

// ---- random runs -------------------------------------------------------------------------------

/// A run of some minutes: loss, duplication, reordering, crashes and jumps of the wall clock, all
/// from the seed. At its end the faults but the loss cease, and within 10 s both ends must agree.
void random_run(std::uint64_t seed) {
  testing::SeededRandom random(seed * 2 + 1);
  AgentSim sim(seed);
  if (random.below(2) == 1) sim.swap_rosenpass_keys();
  const double loss = random.unit() * 0.4;
  sim.faults.loss = loss;
  sim.faults.duplication = random.unit() * 0.3;
  sim.faults.jitter = Duration(static_cast<Duration::rep>(random.below(200'000'000)));
  sim.faults.delay = Duration(static_cast<Duration::rep>(random.below(50'000'000)));
  sim.start(0);
  sim.run_for(Duration(static_cast<Duration::rep>(random.below(2'000'000'000))));
  sim.start(1);

  const std::uint64_t events = random.below(6);
  for (std::uint64_t i = 0; i < events; ++i) {
    sim.run_for(Duration(static_cast<Duration::rep>(random.below(90'000'000'000))));
    const std::size_t host = random.below(2);
    switch (random.below(4)) {
      case 0:
        sim.crash(host);
        sim.run_for(Duration(static_cast<Duration::rep>(random.below(3'000'000'000))));
        sim.start(host);
        break;
      case 1:
        sim.crash(0);
        sim.crash(1);
        sim.start(host);
        sim.run_for(Duration(static_cast<Duration::rep>(random.below(3'000'000'000))));
        sim.start(1 - host);
        break;
      case 2:
        sim.set_wall_offset(host, std::chrono::hours(static_cast<int>(random.below(48)) - 24));
        break;
      case 3:
        sim.suspend(Duration(static_cast<Duration::rep>(random.below(400'000'000'000))));
        break;
    }
    sim.ping(host);
  }
  // Traffic both ways, as users have it: what is broken is found by it.
  const TimePoint end = sim.now() + 10s;
  bool agreed = false;
  while (sim.now() < end && !agreed) {
    sim.ping(0);
    sim.ping(1);
    agreed = sim.run_until(std::min(end, sim.now() + 200ms), [&] { return sim.agreed(); });
  }
  ASSERT_TRUE(agreed) << "seed " << seed << " loss " << loss;
}

TEST(PairModel, RandomRunsEndInOneKeyWithinTenSeconds) {
  if (std::getenv("TRELLIS_SEED")) return random_run(number_from_environment("TRELLIS_SEED", 0));
  const std::uint64_t seeds = number_from_environment("TRELLIS_SEEDS", exhaustive() ? 10'000 : 300);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    ASSERT_NO_FATAL_FAILURE(random_run(seed));
  }
}

// ---- replays -----------------------------------------------------------------------------------

TEST(PairModel, AHundredReplayedInitHelloASecondDelayNothing) {
  const std::uint64_t renewals = exhaustive() ? 5 : 1;
  for (const bool swap : {false, true}) {
    for (const std::size_t target : {0U, 1U}) {
      SCOPED_TRACE(std::string(swap ? "swapped " : "") + "target " + std::to_string(target));
      AgentSim sim(21);
      if (swap) sim.swap_rosenpass_keys();
      // A first life, of which a stranger records every InitHello.
      std::vector<ByteVector> recorded;
      sim.observer = [&](std::size_t from, ByteView datagram) {
        if (from != target && datagram[0] == std::byte{0x81})
          recorded.push_back(to_vector(datagram));
      };
      sim.start(1 - target);
      sim.run_for(300ms);
      sim.start(target);
      ASSERT_TRUE(sim.run_until(sim.now() + 10s, [&] { return sim.agreed(); }));
      sim.observer = nullptr;
      ASSERT_FALSE(recorded.empty());
      sim.crash(0);
      sim.crash(1);

      testing::SeededRandom random(5);
      bool attack = true;
      const std::function<void()> replay = [&] {
        if (!attack) return;
        const auto source =
            Endpoint{*IpAddress::parse("203.0.113." + std::to_string(1 + random.below(250))),
                     static_cast<std::uint16_t>(1024 + random.below(60000))};
        sim.inject(target, source, recorded[random.below(recorded.size())]);
        sim.at(sim.now() + 10ms, replay);
      };
      replay();
      sim.run_for(2s);
      sim.start(0);
      sim.start(1);
      const TimePoint started = sim.now();
      ASSERT_TRUE(sim.run_until(started + 1s, [&] { return sim.agreed(); }));
      // Across renewals: no packet late by more than a second, nothing expires.
      while (sim.pair(0).status(sim.now()).renewals < renewals && sim.now() < started + 1000s) {
        const std::uint64_t before = sim.received(0) + sim.received(1);
        sim.ping(0);
        sim.ping(1);
        sim.run_for(500ms);
        ASSERT_EQ(sim.received(0) + sim.received(1), before + 2)
            << "at " << (sim.now() - started).count();
        ASSERT_TRUE(sim.usable(0) && sim.usable(1));
      }
      EXPECT_GE(sim.pair(0).status(sim.now()).renewals, renewals);
      attack = false;
    }
  }
}

}  // namespace
}  // namespace trellis::agent
