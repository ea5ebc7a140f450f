#include "testing/rosenpass/world.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass {
namespace {

TEST(Completion, EndsWithOneKeyWhenBothStartAtOnce) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed,
                 .faults = {.delay = Duration(seed % 50 * 5ms), .jitter = 20ms},
                 .first_is_larger = seed % 2 == 0});
    world.introduce_both();
    world.net.run_for(3s);
    ASSERT_TRUE(world.agree());
    ASSERT_EQ(world.first().status().state, ExchangeState::Idle);
    ASSERT_EQ(world.second().status().state, ExchangeState::Idle);
  }
}

/// Both InitConf cross on the wire, after mere delay. [pair rules, "What goes wrong otherwise" (a)]
TEST(Completion, EndsWithOneKeyWhenBothConfirmationsCross) {
  for (const bool first_is_larger : {true, false}) {
    World world({.faults = {.delay = 600ms}, .first_is_larger = first_is_larger});
    world.introduce_both();
    // InitHello takes 0.6 s; the larger one leaves it unanswered for a second. Hold everything else
    // up so that both InitConf leave before either arrives.
    std::vector<testing::SimDatagram> held;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (!is(MessageType::InitConf, datagram.bytes) || held.size() == 2) return true;
      const bool same_end = held.size() == 1 && held[0].from == datagram.from;
      if (!same_end) held.push_back(datagram);
      return false;
    });
    ASSERT_TRUE(world.net.run_until(
        10s, [&] { return world.first().pending && world.second().pending && held.size() == 2; }));
    for (const auto& datagram : held) world.net.inject(datagram);
    EXPECT_TRUE(world.net.run_until(5s, [&] { return world.agree(); }));
    world.net.run_for(5s);
    EXPECT_TRUE(world.agree());
    // The larger one's exchange went on, and both ended with its key.
    End& larger = first_is_larger ? world.first() : world.second();
    End& smaller = first_is_larger ? world.second() : world.first();
    EXPECT_EQ(larger.status().role, Role::Initiator);
    EXPECT_EQ(smaller.status().role, Role::Responder);
    EXPECT_EQ(smaller.released, 1);
  }
}

TEST(Completion, LeavesHelloUnansweredForOneSecondOnlyIfItIsLarger) {
  for (const bool first_is_larger : {true, false}) {
    World world({.first_is_larger = first_is_larger});
    // The second end's answers never arrive, so the first one's exchange goes on and on.
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      return !(datagram.from == kSecond && is(MessageType::RespHello, datagram.bytes));
    });
    world.first().add_peer(world.net.now(), kSecond);
    world.net.run_for(900ms);
    world.second().add_peer(world.net.now(), kFirst);
    world.net.run_for(90ms);
    EXPECT_EQ(world.first().dropped(Drop::Collision), first_is_larger ? 1U : 0U);
    EXPECT_EQ(world.agree(), !first_is_larger);
    EXPECT_TRUE(world.net.run_until(2s, [&] { return world.agree(); })) << "once, and not renewed";
  }
}

TEST(Completion, SendsEmptyDataAgainWithoutASecondKey) {
  World world;
  int lost = 0;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !is(MessageType::EmptyData, datagram.bytes) || ++lost > 2;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
  EXPECT_EQ(lost, 3);
  EXPECT_EQ(world.second().history.size(), 1U);
  EXPECT_EQ(world.first().status().started, 1U);
}

TEST(Completion, AcknowledgesTheLastInitConfAlsoAfterItsBiscuitIsDead) {
  World world;
  std::vector<ByteVector> confs;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitConf, datagram.bytes)) confs.push_back(datagram.bytes);
    return true;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  // The second end completes an exchange as initiator: that kills what it issued before.
  world.second().node().set_path(world.net.now(), world.second().peer, kFirst);
  world.second().node().start_exchange(world.net.now(), world.second().peer);
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.second().status().proven == 1; }));
  const std::uint64_t delivered = world.net.counters().sent;
  world.second().handle_datagram(world.net.now(), kFirst, confs.at(0));
  const auto answer = world.second().poll_transmit();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(is(MessageType::EmptyData, answer->bytes));
  EXPECT_EQ(world.second().status().accepted, 1U);
  EXPECT_EQ(world.net.counters().sent, delivered);
  EXPECT_TRUE(world.agree());
}

/// (b): recorded, withheld, and delivered after the next exchange.
TEST(Completion, RefusesAnInitConfThatWasWithheld) {
  for (const bool second_completes_as_initiator : {false, true}) {
    World world;
    std::optional<testing::SimDatagram> withheld;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (!is(MessageType::InitConf, datagram.bytes) || withheld) return true;
      withheld = datagram;
      return false;
    });
    world.introduce_first();
    ASSERT_TRUE(world.net.run_until(1s, [&] { return withheld.has_value(); }));
    // All repeats of that InitConf are lost, too.
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      return datagram.bytes != withheld->bytes;
    });
    if (second_completes_as_initiator) {
      world.second().node().set_path(world.net.now(), world.second().peer, kFirst);
    }
    ASSERT_TRUE(world.net.run_until(10s, [&] { return world.agree(); }));
    const auto before = *world.second().current;
    world.net.inject(*withheld);
    world.net.run_for(1s);
    EXPECT_EQ(*world.second().current, before);
    EXPECT_EQ(world.second().dropped(Drop::DeadBiscuit), 1U);
    EXPECT_TRUE(world.agree());
  }
}

TEST(Completion, RefusesABiscuitThatIsAsOldAsAKeyMayBe) {
  World world;
  std::optional<testing::SimDatagram> withheld;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitConf, datagram.bytes) && !withheld) withheld = datagram;
    return datagram.to == kSecond ? !withheld.has_value() : true;  // then silence
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return withheld.has_value(); }));
  world.net.run_for(kRejectAfter);
  world.net.inject(*withheld);
  world.net.run_for(1s);
  EXPECT_FALSE(world.second().current);
  EXPECT_EQ(world.second().dropped(Drop::Stale), 1U);
}

TEST(Completion, CountsAKeysAgeFromItsExchangeAtBothEnds) {
  World world;
  std::optional<testing::SimDatagram> withheld;
  bool passes = false;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (passes || !is(MessageType::InitConf, datagram.bytes)) {
      return passes || !withheld.has_value();
    }
    if (!withheld) withheld = datagram;
    return false;
  });
  world.introduce_first();
  const TimePoint start = world.net.now();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return withheld.has_value(); }));
  world.net.run_for(100s);
  passes = true;
  world.net.inject(*withheld);
  ASSERT_TRUE(world.net.run_until(100ms, [&] { return world.second().current.has_value(); }));
  EXPECT_LT(world.second().current_age_from - start, 1s) << "not from its arrival";
  EXPECT_GE(world.second().current_age_from, start);
}

TEST(Completion, NeverDropsItsExchangeForAStockPeer) {
  // Both InitConf cross as above, but the other end drops its own whatever its pid.
  World world({.faults = {.delay = 600ms}, .first_is_larger = false});
  world.first().add_peer(world.net.now(), kSecond, PeerKind::Stock);
  world.second().add_peer(world.net.now(), kFirst, PeerKind::Trellis);
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !(datagram.from == kSecond && is(MessageType::EmptyData, datagram.bytes));
  });
  ASSERT_TRUE(world.net.run_until(20s, [&] { return world.first().status().accepted == 1; }));
  EXPECT_EQ(world.first().status().state, ExchangeState::Conf);
  EXPECT_EQ(world.first().released, 0);
}

TEST(Completion, LetsTheExchangeOfGoRosenpassWin) {
  // It has its InitConf out while ours is proven: refused, it would call its key expired.
  World world;
  world.first().add_peer(world.net.now(), kSecond, PeerKind::StockGo);
  world.second().add_peer(world.net.now(), std::nullopt, PeerKind::StockGo);
  std::optional<testing::SimDatagram> held;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (datagram.from != kFirst || !is(MessageType::InitConf, datagram.bytes)) return true;
    if (!held) held = datagram;
    return false;
  });
  ASSERT_TRUE(world.net.run_until(1s, [&] { return held.has_value(); }));
  world.second().node().set_path(world.net.now(), world.second().peer, kFirst);
  ASSERT_TRUE(world.net.run_until(5s, [&] { return world.second().status().proven == 1; }));
  world.net.inject(*held);
  world.net.run_for(20ms);
  EXPECT_EQ(world.second().status().accepted, 1U);
  world.net.inject(*held);
  world.net.run_for(20ms);
  EXPECT_EQ(world.second().status().accepted, 1U) << "but once";
}

/// What may happen to one datagram.
enum class Fate { Arrives, Lost, Late, TwiceAndLate, kCount };

/// Every fate of each of the first datagrams, by both assignments of the larger pid, with one end
/// or both beginning: the ends always agree in the end, and stay so.
TEST(Completion, AgreesWhateverBecomesOfTheFirstDatagrams) {
  const std::uint64_t depth = seeds(5);
  std::uint64_t scripts = 1;
  for (std::uint64_t i = 0; i < depth; ++i) scripts *= static_cast<std::uint64_t>(Fate::kCount);
  for (std::uint64_t run = 0; run < 4 * scripts; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    const bool both_begin = run % 4 < 2;
    World world({.faults = {.delay = 20ms}, .first_is_larger = run % 2 == 0});
    std::uint64_t script = run / 4;
    std::uint64_t decided = 0;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (decided++ >= depth) return true;
      const Fate fate = static_cast<Fate>(script % static_cast<std::uint64_t>(Fate::kCount));
      script /= static_cast<std::uint64_t>(Fate::kCount);
      if (fate == Fate::Late || fate == Fate::TwiceAndLate) world.net.inject(datagram, 900ms);
      return fate == Fate::Arrives || fate == Fate::TwiceAndLate;
    });
    if (both_begin) {
      world.introduce_both();
    } else {
      world.introduce_first();
    }
    ASSERT_TRUE(world.net.run_until(6s, [&] { return world.agree(); }));
    world.net.run_for(5s);
    ASSERT_TRUE(world.agree());
    ASSERT_EQ(world.first().status().state, ExchangeState::Idle);
    ASSERT_EQ(world.second().status().state, ExchangeState::Idle);
  }
}

/// An hour under loss, restarts and sleeps: no dead key is ever handed out (checked by End), and
/// when the network is good again both have the same one.
TEST(Completion, HealsFromAnything) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed,
                 .faults = {.delay = 20ms, .jitter = 200ms, .loss = 0.3, .duplication = 0.1},
                 .first_is_larger = seed % 2 == 0});
    world.introduce_both();
    testing::SeededRandom random(seed);
    std::vector<testing::SimDatagram> recorded;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (recorded.size() < 200) recorded.push_back(datagram);
      return true;
    });
    for (int i = 0; i < 40; ++i) {
      world.net.run_for(Duration(random.below(90'000) * 1ms));
      switch (random.below(5)) {
        case 0:
          world.restart_first();
          world.first().add_peer(world.net.now(), kSecond);
          break;
        case 1:
          world.restart_second();
          world.second().add_peer(world.net.now(), kFirst);
          break;
        case 2:
          world.net.suspend(kFirst, Duration(random.below(400) * 1s));
          break;
        case 3:
          world.first().node().start_exchange(world.net.now(), world.first().peer);
          break;
        default:
          for (int k = 0; k < 20 && !recorded.empty(); ++k) {
            world.net.inject(recorded[random.below(recorded.size())], k * 3ms);
          }
      }
    }
    world.net.run_for(400s);
    world.net.set_faults({.delay = 10ms});
    ASSERT_TRUE(world.net.run_until(140s, [&] { return world.agree(); }));
    world.net.run_for(5s);
    ASSERT_TRUE(world.agree());
  }
}

}  // namespace
}  // namespace trellis::rosenpass
