// Links through loss, restarts, moves, partitions and sleep, many times, each from a seed.

#include "node/link/mesh_link_sim_test.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trellis::link {
namespace {

constexpr std::uint64_t kSeeds = 200;

template <class T>
T median(std::vector<T> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

TEST(MeshLinkSeeds, FindAPathThroughFortyPercentLoss) {
  std::vector<Duration> times;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    LinkPair pair(
        seed, {.delay = 10ms, .jitter = 20ms, .loss = 0.4, .duplication = 0.05, .reordering = 0.1});
    pair.start_both();
    times.push_back(pair.time_to_path(20s));
    EXPECT_LE(times.back(), 5s);
  }
  EXPECT_LE(median(times), 400ms);
  RecordProperty("median_ms", std::to_string(milliseconds(median(times))));
  RecordProperty("most_ms", std::to_string(milliseconds(*std::ranges::max_element(times))));
}

TEST(MeshLinkSeeds, KeepAPathThroughFortyPercentLoss) {
  Duration works{};
  std::size_t losses = 0;
  constexpr int kRuns = 20;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    LinkPair pair(seed, {.delay = 10ms, .jitter = 20ms, .loss = 0.4});
    pair.start_both();
    pair.net.run_for(5s);
    works += pair.works_during(10min);
    for (LinkMachine* machine : {&pair.alice, &pair.bob}) {
      losses += static_cast<std::size_t>(std::ranges::count_if(
          machine->process().events,
          [](const LinkEvent& event) { return std::holds_alternative<PathLost>(event); }));
    }
  }
  EXPECT_GE(works, kRuns * 10min * 0.999);
  EXPECT_LE(losses, 2U) << "in " << kRuns << " times ten minutes, both ends";
}

/// A run of faults; what each does is told by its name.
class Story {
 public:
  explicit Story(std::uint64_t seed)
      : pair_(seed, {.delay = 15ms, .jitter = 15ms, .loss = 0.05 * static_cast<double>(seed % 5)}) {
    for (LinkMachine* machine : machines()) machine->set_addresses(new_addresses());
    pair_.start_both();
  }

  LinkPair& pair() { return pair_; }
  std::vector<LinkMachine*> machines() { return {&pair_.alice, &pair_.bob}; }

  void fault() {
    LinkMachine& machine = *machines()[pair_.random.below(2)];
    switch (pair_.random.below(7)) {
      case 0:
        return machine.crash();
      case 1:
        machine.crash();
        return machine.start();
      case 2:
        return machine.set_addresses(new_addresses());
      case 3:  // noticed
        machine.set_addresses(new_addresses());
        if (machine.running()) machine.restart_link();
        return;
      case 4:
        if (machine.running()) machine.suspend(std::chrono::seconds(pair_.random.below(60)));
        return;
      case 5:
        for (const Endpoint& a : pair_.alice.addresses()) {
          for (const Endpoint& b : pair_.bob.addresses()) {
            if (pair_.random.below(3) != 0) pair_.block(a, b);
          }
        }
        return;
      default:
        return pair_.exchange_candidates();
    }
  }

  /// All run, nothing is cut off, and the server tells each of the other's addresses.
  void heal() {
    pair_.blocked.clear();
    for (LinkMachine* machine : machines()) {
      if (!machine->running()) machine->start();
    }
    pair_.net.run_for(std::chrono::milliseconds(pair_.random.below(1000)));
    pair_.exchange_candidates();
  }

 private:
  std::vector<Endpoint> new_addresses() {
    ++number_;
    const std::string n = std::to_string(number_);
    const Endpoint v4 = at("203.0.113." + n + ":51820");
    const Endpoint v6 = at("[2001:db8::" + n + "]:51820");
    // Each has IPv4, so that there always is a way.
    if (pair_.random.below(2) == 0) return {v4};
    return {v4, v6};
  }

  LinkPair pair_;
  int number_ = 0;
};

TEST(MeshLinkSeeds, RecoverFromAnyFaultsWithinSeconds) {
  std::vector<Duration> times;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Story story(seed);
    for (int i = 0; i < 15; ++i) {
      story.pair().net.run_for(std::chrono::milliseconds(story.pair().random.below(20'000)));
      story.fault();
    }
    story.heal();
    story.pair().net.run_for(70s);  // who sleeps has to wake first: at most a minute
    EXPECT_TRUE(story.pair().works());

    // And again, without sleepers: how long does it take?
    story.pair().alice.crash();
    story.pair().bob.set_addresses(story.pair().bob.addresses());
    story.pair().net.run_for(std::chrono::milliseconds(story.pair().random.below(20'000)));
    story.heal();
    times.push_back(story.pair().time_to_path(10s));
    EXPECT_LT(times.back(), 5s);
  }
  EXPECT_LE(median(times), 50ms);
  RecordProperty("most_ms", std::to_string(milliseconds(*std::ranges::max_element(times))));
}

TEST(MeshLinkSeeds, ReturnAfterAPartitionThatNobodyTellsThemOf) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    LinkPair pair(seed);
    pair.start_both();
    pair.net.run_for(10s);
    pair.block(at("192.0.2.1:51820"), at("198.51.100.2:51820"));
    pair.net.run_for(std::chrono::seconds(1 + pair.random.below(100)));
    pair.blocked.clear();
    EXPECT_LE(pair.time_to_path(10s), 2500ms);
  }
}

TEST(MeshLinkSeeds, RestartsOfBothTakeLessThanAFifthOfASecond) {
  std::vector<Duration> times;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    LinkPair pair(seed, {.delay = 5ms, .jitter = 2ms});
    pair.start_both();
    pair.net.run_for(20s);
    const auto pause = [&] { return std::chrono::milliseconds(pair.random.below(3000)); };
    for (LinkMachine* machine : {&pair.alice, &pair.bob}) {
      machine->crash();
      pair.net.run_for(pause());
    }
    for (LinkMachine* machine : {&pair.bob, &pair.alice}) {
      pair.net.run_for(pause());
      machine->start();
    }
    times.push_back(pair.time_to_path(5s));
    EXPECT_LE(times.back(), 200ms);
  }
  EXPECT_LE(median(times), 22ms);
}

}  // namespace
}  // namespace trellis::link
