#include "protocol/rosenpass/node.h"

#include "testing/rosenpass/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace trellis::rosenpass {
namespace {

TEST(Node, AgreesWithItsPeerInTwoRoundTrips) {
  World world({.faults = {.delay = 20ms}});
  world.introduce_first();
  EXPECT_TRUE(world.net.run_until(81ms, [&] { return world.agree(); }));
  EXPECT_EQ(world.first().status().role, Role::Initiator);
  EXPECT_EQ(world.second().status().role, Role::Responder);
  EXPECT_EQ(world.first().status().state, ExchangeState::Idle);
  EXPECT_EQ(world.first().completed(), 1U);
  EXPECT_EQ(world.second().completed(), 1U);
  EXPECT_EQ(world.second().status().started, 0U);
}

TEST(Node, AgreesWithTheSuiteThatIsDeployed) {
  World world({.faults = {.delay = 20ms, .loss = 0.2}, .suite = &crypto::suite_rosenpass()});
  world.introduce_both();
  EXPECT_TRUE(world.net.run_until(10s, [&] { return world.agree(); }));
}

TEST(Node, RefusesKeysThatCannotBe) {
  TwoKeys keys(small_suite(), 1, true);
  testing::SeededRandom random(1);
  const ByteView key = keys.first.public_key;
  const auto create = [&](ByteView public_key, ByteView secret) {
    return Node::create(small_suite(), OwnKeys{public_key, SecretBuffer(secret)}, random);
  };
  const ByteView secret = keys.first.secret_key.expose();
  EXPECT_EQ(create(key.first(799), secret).error(), NodeError::WrongPublicKeySize);
  EXPECT_EQ(create(key, secret.first(8)).error(), NodeError::WrongSecretKeySize);
  auto node = create(key, secret);
  ASSERT_TRUE(node);
  const auto add = [&](ByteView peer) {
    return node->add_peer(TimePoint{1s}, PeerConfig{.public_key = peer});
  };
  EXPECT_EQ(add(key).error(), NodeError::OwnKey);
  EXPECT_EQ(add(key.first(1)).error(), NodeError::WrongPublicKeySize);
  const auto peer = add(keys.second.public_key);
  ASSERT_TRUE(peer);
  EXPECT_EQ(add(keys.second.public_key).error(), NodeError::AlreadyKnown);
  EXPECT_EQ(node->find_peer(peer_hash(keys.second.public_key)), *peer);
  node->remove_peer(*peer);
  EXPECT_FALSE(node->find_peer(peer_hash(keys.second.public_key)));
  EXPECT_TRUE(add(keys.second.public_key));
}

TEST(Node, AgreesWithinTenSecondsAtFortyPercentLoss) {
  for (std::uint64_t seed = 0; seed < seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(
        {.seed = seed,
         .faults =
             {.delay = 15ms, .jitter = 30ms, .loss = 0.4, .duplication = 0.2, .reordering = 0.2},
         .first_is_larger = seed % 2 == 0});
    if (seed % 3 == 0) {
      world.introduce_first();
    } else {
      world.introduce_both();
    }
    ASSERT_TRUE(world.net.run_until(10s, [&] { return world.agree(); }));
    // And they keep agreeing when all that is on the way has come.
    world.net.set_faults({.delay = 10ms});
    world.net.run_for(5s);
    ASSERT_TRUE(world.agree());
  }
}

TEST(Node, BeginsANewExchangeAfterAllRepeatsUnanswered) {
  World world;
  int confs = 0;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !is(MessageType::InitConf, datagram.bytes) || ++confs > 1 + kConfirmationRepeats;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(5s, [&] { return world.agree(); }));
  EXPECT_EQ(confs, 2 + kConfirmationRepeats);
  EXPECT_EQ(world.first().released, 1) << "the key of the first one stays live, but is not pending";
  EXPECT_EQ(world.first().status().started, 2U);
}

TEST(Node, LearnsToWaitWhereThePathIsLong) {
  World world({.faults = {.delay = 900ms}});  // 1.8 s there and back
  world.introduce_first();
  EXPECT_TRUE(world.net.run_until(20s, [&] { return world.agree(); }));
  EXPECT_GT(world.first().dropped(Drop::Late), 0U);
  world.net.run_for(10s);
  EXPECT_TRUE(world.agree());
  const std::uint64_t started = world.first().status().started;
  world.first().node().start_exchange(world.net.now(), world.first().peer);
  world.net.run_for(10s);
  EXPECT_TRUE(world.agree());
  EXPECT_EQ(world.first().status().started, started + 1) << "and remembers it";
}

TEST(Node, ReplacesAnInitHelloAfterAMinuteOfSilence) {
  World world;
  std::map<ByteVector, std::vector<TimePoint>> hellos;
  world.net.set_filter([&](TimePoint now, const testing::SimDatagram& datagram) {
    hellos[datagram.bytes].push_back(now);
    return false;
  });
  world.introduce_first();
  world.net.run_for(179s);
  EXPECT_EQ(hellos.size(), 3U);
  EXPECT_EQ(world.first().status().state, ExchangeState::Hello);
  std::vector<TimePoint> all;
  for (const auto& [bytes, times] : hellos) {
    EXPECT_LT(times.back() - times.front(), kHelloLife);
    all.insert(all.end(), times.begin(), times.end());
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 1; i < all.size(); ++i) {
    const bool first_minute = all[i - 1] - all[0] < kEagerFor;
    EXPECT_LE(all[i] - all[i - 1], first_minute ? kRetryMostWhileEager : kRetryMost);
    EXPECT_GE(all[i] - all[i - 1], kRetryFirst / 2);
  }
  EXPECT_LT(all.size(), 110U) << "and it is quiet enough";
}

TEST(Node, RepeatsAtLeastEveryTwoSecondsWhileThePathAnswers) {
  World world;
  std::vector<TimePoint> sent;
  world.net.set_filter([&](TimePoint now, const testing::SimDatagram&) {
    sent.push_back(now);
    return false;
  });
  world.introduce_first();
  for (int i = 0; i < 30; ++i) {
    world.net.run_for(10s);
    world.first().node().note_path_answers(world.net.now(), world.first().peer);
  }
  for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_LE(sent[i] - sent[i - 1], 2s);
}

TEST(Node, TakesTurnsInRenewing) {
  World world({.faults = {.delay = 30ms}});
  world.introduce_both();
  std::vector<Role> roles;
  std::vector<TimePoint> times;
  std::uint64_t seen = 0;
  ASSERT_TRUE(world.net.run_until(15min, [&] {
    if (world.first().completed() > seen) {
      seen = world.first().completed();
      roles.push_back(world.first().status().role);
      times.push_back(world.net.now());
    }
    return roles.size() == 7;
  }));
  for (std::size_t i = 2; i < roles.size(); ++i) {
    EXPECT_NE(roles[i], roles[i - 1]);
    EXPECT_GE(times[i] - times[i - 1], 119s);
    EXPECT_LE(times[i] - times[i - 1], 121s);
  }
  EXPECT_EQ(world.first().expired + world.second().expired, 0);
  EXPECT_LE(world.first().history.size(), 8U);
}

TEST(Node, RenewsAfterOneHundredThirtySecondsWhereItsPeerCannot) {
  World world({.faults = {.delay = 30ms}});
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  world.net.run_for(129s);
  EXPECT_EQ(world.first().completed(), 1U);
  world.net.run_for(2s);
  EXPECT_EQ(world.first().completed(), 2U);
  EXPECT_TRUE(world.agree());
  EXPECT_EQ(world.first().status().role, Role::Initiator);
}

TEST(Node, LetsAKeyExpireWhenNothingGetsThrough) {
  World world;
  world.introduce_both();
  ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
  world.net.set_filter([](TimePoint, const testing::SimDatagram&) { return false; });
  world.net.run_for(176s);
  EXPECT_TRUE(world.first().current && world.second().current);
  world.net.run_for(5s);
  EXPECT_EQ(world.first().expired, 1);
  EXPECT_EQ(world.second().expired, 1);
  EXPECT_FALSE(world.first().current || world.second().current);
  EXPECT_FALSE(world.first().status().current);
  // And it heals by itself; here nobody told that the path answers again.
  world.net.set_filter(nullptr);
  EXPECT_TRUE(world.net.run_until(kRetryMost + 1s, [&] { return world.agree(); }));
}

TEST(Node, IsBackAtOnceAfterEitherEndRestarts) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed, .faults = {.delay = 10ms}, .first_is_larger = seed % 2 == 0});
    world.introduce_both();
    ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
    world.net.run_for(Duration(seed * 31ms));
    world.restart_first();
    if (seed % 3 == 0) world.restart_second();
    world.first().add_peer(world.net.now(), kSecond);
    if (seed % 3 == 0) {
      world.net.run_for(Duration(seed * 17ms));
      world.second().add_peer(world.net.now(), kFirst);
    }
    ASSERT_TRUE(world.net.run_until(700ms, [&] { return world.agree(); }));
    world.net.run_for(3s);
    ASSERT_TRUE(world.agree());
  }
}

TEST(Node, IsBackAtOnceAfterASuspend) {
  World world;
  world.introduce_both();
  ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
  world.net.suspend(kFirst, 10min);
  world.net.run_for(10min);
  EXPECT_TRUE(world.net.run_until(2s, [&] { return world.agree(); }));
  EXPECT_LT(world.net.now() - world.first().current_age_from, 3s);
}

TEST(Node, NeverBeginsWithoutAPathAndBeginsWhenItLearnsOne) {
  World world;
  world.first().add_peer(world.net.now(), std::nullopt);
  world.second().add_peer(world.net.now(), std::nullopt);
  world.first().node().start_exchange(world.net.now(), world.first().peer);
  world.net.run_for(10min);
  EXPECT_EQ(world.net.counters().sent, 0U);
  world.first().node().set_path(world.net.now(), world.first().peer, kSecond);
  EXPECT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  world.first().node().set_path(world.net.now(), world.first().peer, std::nullopt);
  world.net.run_for(200s);
  EXPECT_FALSE(world.first().current);
  EXPECT_EQ(world.first().status().started, 1U);
}

TEST(Node, FollowsAPathThatMovesInMidExchange) {
  for (const MessageType until : {MessageType::RespHello, MessageType::EmptyData}) {
    World world;
    const Endpoint elsewhere = *Endpoint::parse("198.51.100.7:77");
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      return !is(until, datagram.bytes) || datagram.from != kSecond;
    });
    world.introduce_first();
    world.net.run_for(600ms);
    EXPECT_FALSE(world.first().current);
    world.net.set_filter(nullptr);
    world.net.move(kSecond, elsewhere);
    world.first().node().set_path(world.net.now(), world.first().peer, elsewhere);
    EXPECT_TRUE(world.net.run_until(100ms, [&] { return world.agree(); })) << "at once";
    world.net.detach(elsewhere);
  }
}

TEST(Node, EndsAnExchangeWhosePathIsGone) {
  World world;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !is(MessageType::EmptyData, datagram.bytes);
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(200ms, [&] { return world.first().pending.has_value(); }));
  world.first().node().set_path(world.net.now(), world.first().peer, std::nullopt);
  world.first().take_events(world.net.now());
  EXPECT_EQ(world.first().released, 1);
  EXPECT_EQ(world.first().status().state, ExchangeState::Idle);
}

TEST(Node, ForgetsAPeerInAnyState) {
  for (int steps = 0; steps < 8; ++steps) {
    World world;
    world.introduce_first();
    world.net.run_for(steps * 6ms);
    world.first().node().remove_peer(world.first().peer);
    world.net.run_for(200s);
    EXPECT_EQ(world.first().status().started, 0U) << "no longer known";
    EXPECT_FALSE(world.first().node().poll_transmit());
  }
}

TEST(Node, TakesAConfirmationFromOutsideAsProof) {
  World world;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !is(MessageType::EmptyData, datagram.bytes);
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(200ms, [&] { return world.second().current.has_value(); }));
  End& first = world.first();
  first.node().confirm(world.net.now(), first.peer, ExchangeId{12345});
  first.take_events(world.net.now());
  EXPECT_FALSE(first.current) << "another exchange proves nothing";
  first.node().confirm(world.net.now(), first.peer, first.pending_exchange);
  first.take_events(world.net.now());
  EXPECT_TRUE(world.agree());
  EXPECT_EQ(first.status().state, ExchangeState::Idle);
  EXPECT_EQ(first.status().role, Role::Initiator);
}

TEST(Node, KeepsACallShortHoweverManyPeersAreDue) {
  testing::SeededRandom random(5);
  const auto own = small_suite().static_kem->generate(random);
  auto node = *Node::create(small_suite(), OwnKeys{own.public_key, own.secret_key.clone()}, random);
  std::vector<crypto::KemKeyPair> others;
  for (int i = 0; i < 50; ++i) others.push_back(small_suite().static_kem->generate(random));
  const TimePoint now{1s};
  for (const auto& other : others) {
    ASSERT_TRUE(node.add_peer(now, {.public_key = other.public_key, .path = kSecond}));
  }
  int calls = 0;
  int sent = 0;
  while (node.next_timeout() && *node.next_timeout() <= now) {
    node.handle_timeout(now);
    int in_this_call = 0;
    while (node.poll_transmit()) ++in_this_call;
    EXPECT_LE(in_this_call, 4);
    sent += in_this_call;
    ASSERT_LT(++calls, 100);
  }
  EXPECT_EQ(sent, 50);
}

}  // namespace
}  // namespace trellis::rosenpass
