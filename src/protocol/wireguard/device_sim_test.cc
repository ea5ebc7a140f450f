// Devices against each other in virtual time.

#include "protocol/wireguard/device_pair_test.h"

#include <gmock/gmock.h>

namespace trellis::wireguard {
namespace {

TEST(DeviceSim, ThePacketThatWaitedForTheHandshakeArrivesAfterThreeHops) {
  Pair pair(1, {.delay = 40ms});
  const TimePoint start = pair.net.now();
  pair.alice_sends(1);
  ASSERT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(1); }));
  EXPECT_EQ(pair.net.now() - start, 120ms);
  EXPECT_EQ(pair.alice->last<SessionEstablished>()->role, Role::Initiator);
  EXPECT_EQ(pair.bob->last<SessionEstablished>()->role, Role::Responder);
  EXPECT_EQ(pair.bob->count<InitiationAccepted>(), 1U);
  pair.bob_sends(2);
  EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.alice_has(2); }));
}

TEST(DeviceSim, AResponderSendsNothingUnderASessionThatIsNotConfirmed) {
  Pair pair(1);
  // Whatever Alice sends after her initiation is lost.
  pair.net.set_filter([&](TimePoint, const SimDatagram& datagram) {
    return datagram.from == kBobAt || Reader(datagram.bytes).read<le32>() == 1U;
  });
  pair.alice_sends(1);
  pair.net.run_for(1s);
  EXPECT_TRUE(pair.alice->device->has_usable_session(pair.net.now(), pair.bob_id));
  EXPECT_FALSE(pair.bob->device->has_usable_session(pair.net.now(), pair.alice_id));
  EXPECT_EQ(pair.bob->count<SessionEstablished>(), 0U);
}

TEST(DeviceSim, ComesUpThroughHeavyLossWithinTheAttemptTime) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(seed,
              {.delay = 40ms, .jitter = 80ms, .loss = 0.5, .duplication = 0.2, .reordering = 0.2});
    const TimePoint start = pair.net.now();
    const auto up = [&] { return !pair.alice->received.empty() && !pair.bob->received.empty(); };
    for (std::uint32_t number = 0; !up() && pair.net.now() < start + 90s; ++number) {
      pair.alice_sends(number);
      pair.bob_sends(number);
      pair.net.run_for(500ms);
    }
    EXPECT_TRUE(up());
  }
}

TEST(DeviceSim, HandshakesThatCrossOrGetLostLoseNoPacket) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(seed, {.delay = 20ms, .jitter = 60ms});
    pair.come_up();
    SeededRandom random(seed);
    pair.net.set_filter([&](TimePoint, const SimDatagram& datagram) {
      return Reader(datagram.bytes).read<le32>() == 4U || random.unit() >= 0.3;
    });
    std::uint32_t number = 0;
    for (int i = 0; i < 3000; ++i) {
      // At about the same time, again and again.
      if (i % 50 == 0) {
        pair.alice->device->start_handshake(pair.net.now(), pair.bob_id, Running::Keep);
      }
      if (i % 50 == static_cast<int>(random.below(8))) {
        pair.bob->device->start_handshake(pair.net.now(), pair.alice_id, Running::Keep);
      }
      pair.alice_sends(++number);
      pair.bob_sends(number);
      pair.net.run_for(10ms);
    }
    pair.net.run_for(1s);
    EXPECT_EQ(pair.bob->received.size(), number + 1);
    EXPECT_EQ(pair.alice->received.size(), number + 1);
    EXPECT_GT(pair.alice->count<SessionEstablished>(), 5U);
  }
}

TEST(DeviceSim, DeliversEachPacketAtMostOnceThroughDuplicationAndReordering) {
  Pair pair(5, {.delay = 20ms});
  pair.come_up();
  pair.net.set_faults({.delay = 20ms, .jitter = 300ms, .duplication = 0.5, .reordering = 0.3});
  for (std::uint32_t i = 0; i < 500; ++i) {
    pair.alice_sends(i);
    pair.net.run_for(3ms);
  }
  pair.net.run_for(2s);
  std::map<ByteVector, int> seen;
  for (const ByteVector& packet : pair.bob->received) ++seen[packet];
  EXPECT_EQ(seen.size(), 501U);
  for (const auto& [packet, times] : seen) EXPECT_EQ(times, 1);
  EXPECT_GT(pair.bob->device->counters().replayed, 100U);
}

TEST(DeviceSim, RenewsTheSessionAfterTwoMinutesWithoutLosingAPacket) {
  Pair pair(2, {.delay = 30ms});
  pair.come_up();
  const TimePoint first = pair.alice->device->session(pair.net.now(), pair.bob_id)->established;
  std::uint32_t number = 0;
  while (pair.net.now() < first + 600s) {
    pair.alice_sends(++number);
    pair.bob_sends(number);
    pair.net.run_for(100ms);
  }
  pair.net.run_for(1s);
  EXPECT_EQ(pair.bob->received.size(), number + 1);
  EXPECT_EQ(pair.alice->received.size(), number + 1);
  // At 120 s, 240 s, 360 s, 480 s; the last may be about to come.
  EXPECT_GE(pair.alice->count<SessionEstablished>(), 5U);
  EXPECT_LE(pair.alice->count<SessionEstablished>(), 6U);
}

TEST(DeviceSim, ASessionEndsAfterThreeMinutesIfItCannotBeRenewed) {
  Pair pair(3);
  pair.come_up();
  const TimePoint made = pair.alice->device->session(pair.net.now(), pair.bob_id)->established;
  pair.net.set_filter([](TimePoint, const SimDatagram& datagram) {
    return Reader(datagram.bytes).read<le32>() == 4U;  // data only
  });
  TimePoint last{};
  std::uint32_t number = 0;
  std::size_t before = pair.bob->received.size();
  while (pair.net.now() < made + 250s) {
    pair.alice_sends(++number);
    pair.net.run_for(100ms);
    if (pair.bob->received.size() == before) continue;
    before = pair.bob->received.size();
    last = pair.net.now();
  }
  EXPECT_GT(last, made + 179s);
  EXPECT_LT(last, made + 181s);
  EXPECT_FALSE(pair.alice->device->has_usable_session(pair.net.now(), pair.bob_id));
  EXPECT_FALSE(pair.bob->device->has_usable_session(pair.net.now(), pair.alice_id));
}

TEST(DeviceSim, GivesUpAfterNinetySecondsAndTriesAgainWhenThereIsTraffic) {
  Pair pair(4);
  pair.net.detach(kBobAt);
  pair.record();
  pair.alice_sends(1);
  pair.net.run_for(300s);
  const auto attempts = pair.recorded_of_type(1);
  EXPECT_GE(attempts, 17U);
  EXPECT_LE(attempts, 18U);
  EXPECT_EQ(pair.alice->count<HandshakeUnanswered>(), attempts);
  EXPECT_EQ(pair.alice->last<HandshakeUnanswered>()->attempt, attempts);

  pair.net.attach(kBobAt, *pair.bob);
  pair.alice_sends(2);
  EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(2); }));
  EXPECT_FALSE(pair.bob_has(1));  // dropped when we gave up
}

TEST(DeviceSim, ComesBackAfterTheInitiatorRestarted) {
  Pair pair(5);
  pair.come_up();
  pair.start_alice();
  pair.alice_sends(77);
  EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(77); }));
}

TEST(DeviceSim, ComesBackAfterTheResponderRestarted) {
  Pair pair(6);
  pair.come_up();
  pair.start_bob();
  // Alice finds out by silence.
  const TimePoint restarted = pair.net.now();
  std::uint32_t number = 100;
  while (pair.bob->received.empty() && pair.net.now() < restarted + 30s) {
    pair.alice_sends(++number);
    pair.net.run_for(100ms);
  }
  EXPECT_GT(pair.net.now(), restarted + kKeepaliveTimeout + kRekeyTimeout);
  EXPECT_LT(pair.net.now(), restarted + kKeepaliveTimeout + kRekeyTimeout + 1s);
  EXPECT_GT(pair.bob->device->counters().unknown_index, 0U);
}

TEST(DeviceSim, ComesBackAfterSleepLongerThanASession) {
  Pair pair(7);
  pair.come_up();
  pair.net.suspend(pair.alice_at, 600s);
  pair.net.run_for(601s);
  pair.alice_sends(5);
  EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(5); }));
}

TEST(DeviceSim, BothEndsMayBeginAtOnce) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(seed, {.delay = 40ms, .jitter = 20ms});
    pair.bob->device->set_endpoint(pair.net.now(), pair.alice_id, kAliceAt);
    pair.alice_sends(1);
    pair.bob_sends(2);
    EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(1) && pair.alice_has(2); }));
    pair.net.run_for(1s);
    pair.alice_sends(3);
    pair.bob_sends(4);
    EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(3) && pair.alice_has(4); }));
  }
}

TEST(DeviceSim, AnswersAnInitiationWithoutGivingUpItsOwn) {
  Pair pair(8);
  pair.bob->device->set_endpoint(pair.net.now(), pair.alice_id, kAliceAt);
  pair.record();
  pair.bob_sends(1);
  pair.alice_sends(2);
  pair.net.run_for(1s);
  EXPECT_EQ(pair.recorded_of_type(1), 2U);
  EXPECT_EQ(pair.recorded_of_type(2), 2U);
  // Each got the response to its own initiation.
  EXPECT_EQ(pair.alice->last<SessionEstablished>()->role, Role::Initiator);
  EXPECT_EQ(pair.bob->last<SessionEstablished>()->role, Role::Initiator);
}

TEST(DeviceSim, FollowsAPeerThatMoves) {
  Pair pair(9);
  pair.come_up();
  pair.move_alice(kElsewhere);
  pair.alice_sends(1);
  pair.net.run_for(1s);
  EXPECT_EQ(pair.bob->last<Moved>()->endpoint, kElsewhere);
  EXPECT_EQ(pair.bob->device->info(pair.alice_id).endpoint, kElsewhere);
  pair.bob_sends(2);
  EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.alice_has(2); }));
}

TEST(DeviceSim, OnlyReportsAMoveIfItIsToldSo) {
  Pair pair(10, {}, {.roaming = Roaming::Report});
  pair.bob->device->set_endpoint(pair.net.now(), pair.alice_id, kAliceAt);
  pair.come_up();
  pair.move_alice(kElsewhere);
  for (std::uint32_t i = 0; i < 10; ++i) pair.alice_sends(i);
  pair.net.run_for(100ms);
  EXPECT_EQ(pair.bob->count<Moved>(), 1U);  // of ten packets
  EXPECT_EQ(pair.bob->last<Moved>()->endpoint, kElsewhere);
  EXPECT_EQ(pair.bob->device->info(pair.alice_id).endpoint, kAliceAt);
}

TEST(DeviceSim, ALatePacketDoesNotMoveThePeerBack) {
  Pair pair(11);
  pair.come_up();
  pair.net.set_faults(kAliceAt, kBobAt, {.delay = 5s});
  pair.alice_sends(1);  // arrives last, from the old address
  pair.move_alice(kElsewhere);
  pair.alice_sends(2);
  pair.net.run_for(10s);
  EXPECT_TRUE(pair.bob_has(1));
  EXPECT_EQ(pair.bob->device->info(pair.alice_id).endpoint, kElsewhere);
}

TEST(DeviceSim, AnswersDataWithAKeepaliveAfterTenSeconds) {
  Pair pair(12);
  pair.come_up();
  pair.net.run_for(60s);
  pair.record();
  pair.alice_sends(1);
  pair.net.run_for(9900ms);
  ASSERT_EQ(pair.recorded.size(), 1U);
  pair.net.run_for(200ms);
  ASSERT_EQ(pair.recorded.size(), 2U);
  EXPECT_EQ(pair.recorded[1].from, kBobAt);
  EXPECT_EQ(pair.recorded[1].bytes.size(), kDataOverhead);
  pair.net.run_for(30s);
  EXPECT_EQ(pair.recorded.size(), 2U);  // keepalives are not answered
}

TEST(DeviceSim, KeepsAliveForEverIfItIsToldSo) {
  Pair pair(13);
  pair.alice->device->set_persistent_keepalive(pair.net.now(), pair.bob_id, 25s);
  pair.net.run_for(1s);
  EXPECT_TRUE(pair.alice->device->has_usable_session(pair.net.now(), pair.bob_id));
  for (int i = 0; i < 40; ++i) {
    pair.net.run_for(25s);
    EXPECT_TRUE(pair.alice->device->has_usable_session(pair.net.now(), pair.bob_id)) << i;
  }
}

TEST(DeviceSim, NoHandshakeGoesEitherWayWithoutACurrentKey) {
  Pair pair(14);
  pair.record();
  pair.alice->device->set_preshared_keys(pair.net.now(), pair.bob_id, std::nullopt, {});
  pair.alice_sends(1);
  pair.alice_sends(2);
  pair.net.run_for(500ms);
  EXPECT_TRUE(pair.recorded.empty());
  EXPECT_EQ(pair.alice->count<KeyNeeded>(), 1U);

  pair.alice->device->set_preshared_key(pair.net.now(), pair.bob_id, key(7));
  pair.bob->device->set_preshared_keys(pair.net.now(), pair.alice_id, std::nullopt, {});
  pair.net.run_for(3s);  // what waited began at once, and Bob keeps silent
  EXPECT_EQ(pair.recorded_of_type(1), 1U);
  EXPECT_EQ(pair.recorded.size(), 1U);
  EXPECT_EQ(pair.bob->device->counters().no_key, 1U);

  pair.bob->device->set_preshared_key(pair.net.now(), pair.alice_id, key(7));
  EXPECT_TRUE(pair.net.run_until(6s, [&] { return pair.bob_has(1) && pair.bob_has(2); }));
}

std::vector<LiveKey> live_keys(std::initializer_list<std::uint8_t> numbers) {
  std::vector<LiveKey> result;
  for (const std::uint8_t number : numbers) result.push_back({KeyId{number}, key(number)});
  return result;
}

TEST(DeviceSim, TheInitiatorTriesAllLiveKeysAndTellsWhichOneOpened) {
  Pair pair(15);
  const TimePoint now = pair.net.now();
  pair.alice->device->set_preshared_keys(now, pair.bob_id, KeyId{1}, live_keys({3, 2, 1}));
  pair.bob->device->set_preshared_keys(now, pair.alice_id, KeyId{2}, live_keys({4, 2}));
  pair.alice_sends(1);
  ASSERT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(1); }));
  EXPECT_EQ(pair.alice->last<SessionEstablished>()->key, KeyId{2});
  EXPECT_EQ(pair.bob->last<SessionEstablished>()->key, KeyId{2});
  EXPECT_EQ(pair.bob->last<InitiationAccepted>()->key, KeyId{2});
  EXPECT_EQ(pair.alice->device->session(pair.net.now(), pair.bob_id)->key, KeyId{2});
}

TEST(DeviceSim, AResponseUnderNoLiveKeyIsDroppedAndTheHandshakeGoesOn) {
  Pair pair(16);
  pair.bob->device->set_preshared_key(pair.net.now(), pair.alice_id, key(8));
  pair.alice_sends(1);
  pair.net.run_for(1s);
  EXPECT_FALSE(pair.alice->device->has_usable_session(pair.net.now(), pair.bob_id));
  EXPECT_EQ(pair.alice->device->counters().bad_handshake, 1U);
  // The key that it was answered under comes a little later: the repeat opens.
  pair.alice->device->set_preshared_keys(pair.net.now(), pair.bob_id, KeyId{7}, live_keys({7, 8}));
  EXPECT_TRUE(pair.net.run_until(6s, [&] { return pair.bob_has(1); }));
  EXPECT_EQ(pair.alice->last<SessionEstablished>()->key, KeyId{8});
}

TEST(DeviceSim, ANewKeyDoesNotDisturbTheSession) {
  Pair pair(17);
  pair.come_up();
  pair.alice->device->set_preshared_keys(pair.net.now(), pair.bob_id, KeyId{9}, live_keys({9}));
  pair.bob->device->set_preshared_keys(pair.net.now(), pair.alice_id, KeyId{9}, live_keys({9}));
  EXPECT_EQ(pair.alice->device->session(pair.net.now(), pair.bob_id)->key, KeyId{0});
  pair.alice->device->start_handshake(pair.net.now(), pair.bob_id, Running::Keep);
  std::uint32_t number = 0;
  for (int i = 0; i < 100; ++i) {
    pair.alice_sends(++number);
    pair.bob_sends(number);
    pair.net.run_for(1ms);
  }
  pair.net.run_for(1s);
  EXPECT_EQ(pair.bob->received.size(), number + 1);
  EXPECT_EQ(pair.alice->received.size(), number + 1);
  EXPECT_EQ(pair.alice->device->session(pair.net.now(), pair.bob_id)->key, KeyId{9});
  EXPECT_EQ(pair.bob->device->session(pair.net.now(), pair.alice_id)->key, KeyId{9});
}

// `wg syncconf` sets the private key again, and must not disturb who is connected.
TEST(DeviceSim, ThePrivateKeyThatIsThereAlreadyChangesNothing) {
  Pair pair(1);
  pair.come_up();
  Device& alice = *pair.alice->device;
  alice.set_private_key(alice.private_key()->clone());
  EXPECT_TRUE(alice.has_usable_session(pair.net.now(), pair.bob_id));
  SeededRandom random(9);
  alice.set_private_key(crypto::generate_private_key(random));
  EXPECT_FALSE(alice.has_usable_session(pair.net.now(), pair.bob_id));
}

TEST(DeviceSim, CancellingBeginsAnewAndAnAnswerToTheOldInitiationIsDropped) {
  Pair pair(18);
  pair.alice->device->start_handshake(pair.net.now(), pair.bob_id, Running::Keep);
  pair.net.flush();
  pair.net.run_for(15ms);  // Bob has answered, Alice has not heard
  pair.alice->device->start_handshake(pair.net.now(), pair.bob_id, Running::Cancel);
  pair.net.flush();
  pair.net.run_for(6ms);
  EXPECT_EQ(pair.alice->device->counters().unknown_index, 1U);
  EXPECT_EQ(pair.alice->count<SessionEstablished>(), 0U);
  EXPECT_EQ(pair.bob->count<InitiationAccepted>(), 1U);
  // The second came within 20 ms of the first, so only its repeat is answered.
  EXPECT_TRUE(pair.net.run_until(6s, [&] { return pair.alice->count<SessionEstablished>() == 1; }));
}

/// One who knows Bob's public key, and nothing else.
class Stranger {
 public:
  explicit Stranger(Pair& pair) : pair_(pair), random_(1) {
    Config config;
    config.private_key = crypto::generate_private_key(random_);
    device_.emplace(std::move(config), random_, timestamps_);
    bob_ = *device_->add_peer(*pair.bob->device->public_key());
    device_->set_preshared_key(pair.net.now(), bob_, key(0));
    device_->set_endpoint(pair.net.now(), bob_, kBobAt);
  }

  void flood(int initiations) {
    for (int i = 0; i < initiations; ++i) {
      device_->start_handshake(pair_.net.now(), bob_, Running::Cancel);
      while (auto transmit = device_->poll_transmit()) {
        pair_.net.inject({kElsewhere, kBobAt, std::move(transmit->bytes)});
      }
    }
  }

 private:
  Pair& pair_;
  SeededRandom random_;
  Timestamps timestamps_;
  std::optional<Device> device_;
  PeerId bob_{};
};

TEST(DeviceSim, UnderLoadAsksForACookieAndServesWhoBringsIt) {
  Pair pair(19, {}, {.handshakes_per_second = 8});
  Stranger stranger(pair);
  stranger.flood(100);
  pair.net.run_for(1ms);
  const Counters& counters = pair.bob->device->counters();
  EXPECT_EQ(counters.unknown_peer, 1U);  // the work that was done for a stranger
  EXPECT_EQ(counters.cookies_sent, 8U);  // bounded, too
  EXPECT_EQ(counters.rate_limited, 91U);

  pair.net.run_for(500ms);  // still under load
  pair.alice_sends(1);
  pair.net.run_for(500ms);
  EXPECT_FALSE(pair.bob_has(1));
  EXPECT_EQ(counters.cookies_sent, 9U);
  EXPECT_EQ(pair.bob->count<InitiationAccepted>(), 0U);
  EXPECT_EQ(pair.alice->device->counters().bad_cookies, 0U);

  pair.net.run_for(3900ms);  // just before Alice repeats her initiation, with the cookie
  stranger.flood(100);
  EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(1); }));
}

TEST(DeviceSim, AFloodThatTakesAllCookiesDoesNotKeepAKnownPeerFromItsNextHandshake) {
  Pair pair(20, {}, {.handshakes_per_second = 8});
  pair.come_up();
  Stranger stranger(pair);
  const std::size_t sessions = pair.bob->count<SessionEstablished>();
  for (int i = 0; i < 700; ++i) {  // seven seconds
    stranger.flood(10);
    if (i == 100) pair.alice->device->start_handshake(pair.net.now(), pair.bob_id, Running::Cancel);
    pair.net.flush();
    pair.net.run_for(10ms);
  }
  EXPECT_EQ(pair.bob->count<SessionEstablished>(), sessions + 1);
  EXPECT_LT(pair.bob->device->counters().cookies_sent, 8U * 4 * 8 + 100);
}

TEST(DeviceSim, RefusesAnInnerSourceThatIsNotThePeers) {
  Pair pair(20);
  pair.come_up();
  const auto before = pair.bob->received.size();
  pair.alice->send(pair.net.now(), inner_packet(*IpAddress::parse("10.0.0.99"), kBobInside, 1));
  pair.net.flush();
  pair.net.run_for(1s);
  EXPECT_EQ(pair.bob->received.size(), before);
  EXPECT_EQ(pair.bob->device->counters().inner_source_refused, 1U);
}

TEST(DeviceSim, PadsToSixteenBytesButNotBeyondTheMtuAndTrimsAgain) {
  Pair pair(21);
  pair.come_up();
  struct Case {
    std::size_t packet;
    std::size_t text;
  };
  for (const Case& c :
       {Case{24, 32}, {32, 32}, {33, 48}, {1417, 1420}, {1420, 1420}, {1500, 1500}}) {
    SCOPED_TRACE(c.packet);
    pair.recorded.clear();
    pair.record();
    const ByteVector packet = inner_packet(kAliceInside, kBobInside, 9, c.packet);
    pair.alice->send(pair.net.now(), packet);
    pair.net.flush();
    pair.net.run_for(1s);
    ASSERT_EQ(pair.recorded.size(), 1U);
    EXPECT_EQ(pair.recorded[0].bytes.size(), c.text + kDataOverhead);
    EXPECT_EQ(pair.bob->received.back(), packet);
  }
}

TEST(DeviceSim, KeepsTheNewestPacketsOfThoseThatWait) {
  Pair pair(22);
  pair.net.detach(kBobAt);
  for (std::uint32_t i = 1; i <= 200; ++i) pair.alice_sends(i);
  EXPECT_EQ(pair.alice->device->counters().staged_overflow, 72U);
  pair.net.attach(kBobAt, *pair.bob);
  pair.net.run_for(7s);
  EXPECT_EQ(pair.bob->received.size(), kStagedPacketsMax);
  EXPECT_TRUE(pair.bob_has(200));
  EXPECT_FALSE(pair.bob_has(72));
}

TEST(DeviceSim, ARemovedPeerLeavesNothingBehind) {
  Pair pair(23);
  pair.come_up();
  pair.alice->device->start_handshake(pair.net.now(), pair.bob_id, Running::Keep);
  pair.alice->device->remove_peer(pair.bob_id);
  EXPECT_EQ(pair.alice->device->poll_transmit(), std::nullopt);
  EXPECT_EQ(pair.alice->device->next_timeout(), std::nullopt);
  EXPECT_TRUE(pair.alice->device->peers().empty());
  pair.alice_sends(1);
  EXPECT_EQ(pair.alice->device->counters().no_route, 1U);
}

TEST(DeviceSim, TheSameSeedGivesTheSameConversation) {
  const auto run = [](std::uint64_t seed) {
    Pair pair(seed, {.delay = 10ms, .jitter = 50ms, .loss = 0.2, .duplication = 0.1});
    pair.record();
    for (std::uint32_t i = 0; i < 100; ++i) {
      pair.alice_sends(i);
      pair.net.run_for(100ms);
    }
    std::vector<ByteVector> bytes;
    for (const SimDatagram& datagram : pair.recorded) bytes.push_back(datagram.bytes);
    return bytes;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace trellis::wireguard
