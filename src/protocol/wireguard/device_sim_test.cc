// Devices against each other in virtual time.

#include "crypto/x25519.h"
#include "protocol/wireguard/device.h"
#include "protocol/wireguard/messages.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

namespace trellis::wireguard {
namespace {

using testing::LinkFaults;
using testing::SeededRandom;
using testing::Sim;
using testing::SimDatagram;

const Endpoint kAliceAt = *Endpoint::parse("192.0.2.1:51820");
const Endpoint kBobAt = *Endpoint::parse("198.51.100.2:51820");
const Endpoint kElsewhere = *Endpoint::parse("203.0.113.3:4242");
const IpAddress kAliceInside = *IpAddress::parse("10.0.0.1");
const IpAddress kBobInside = *IpAddress::parse("10.0.0.2");

crypto::PresharedKey key(std::uint8_t number) {
  Bytes<32> bytes;
  bytes.fill(std::byte{number});
  return crypto::PresharedKey(bytes);
}

/// An IPv4 packet whose payload starts with `number`.
ByteVector inner_packet(const IpAddress& from, const IpAddress& to, std::uint32_t number,
                        std::size_t size = 60) {
  ByteVector packet(size);
  packet[0] = std::byte{0x45};
  const be16 length = static_cast<std::uint16_t>(size);
  std::memcpy(packet.data() + 2, &length, sizeof length);
  std::ranges::copy(from.bytes(), packet.begin() + 12);
  std::ranges::copy(to.bytes(), packet.begin() + 16);
  const be32 word = number;
  std::memcpy(packet.data() + 20, &word, sizeof word);
  return packet;
}

/// Later than all before, whatever the machine's history: a file in the real world.
class Timestamps final : public TimestampSource {
 public:
  Tai64n next() override { return Tai64n::from_unix(WallTime{++last_}); }

 private:
  std::int64_t last_ = 0;
};

/// A machine with one device.
class Machine final : public testing::SimHost {
 public:
  Machine(std::uint64_t seed, TimestampSource& timestamps, Config config) : random_(seed) {
    device.emplace(std::move(config), random_, timestamps);
  }

  void handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram) override {
    ByteVector buffer(Device::kHeadroom + datagram.size() + Device::kTailroom, std::byte{0xee});
    const auto bytes = MutableByteView(buffer).subspan(Device::kHeadroom, datagram.size());
    std::ranges::copy(datagram, bytes.begin());
    std::vector<InboundPacket> packets;
    const InboundDatagram inbound{from, bytes};
    device->receive(now, {&inbound, 1}, packets);
    for (const InboundPacket& packet : packets) received.push_back(to_vector(packet.bytes));
    take_events();
  }
  void handle_timeout(TimePoint now) override {
    device->handle_timeout(now);
    take_events();
  }
  std::optional<TimePoint> next_timeout() const override { return device->next_timeout(); }
  std::optional<SimDatagram> poll_transmit() override {
    take_events();
    if (!outbox_.empty()) {
      SimDatagram datagram = std::move(outbox_.front());
      outbox_.erase(outbox_.begin());
      return datagram;
    }
    auto transmit = device->poll_transmit();
    if (!transmit) return std::nullopt;
    return SimDatagram{{}, transmit->to, std::move(transmit->bytes)};
  }

  void send(TimePoint now, ByteView packet) {
    ByteVector buffer(Device::kHeadroom + packet.size() + Device::kTailroom, std::byte{0xdd});
    const auto bytes = MutableByteView(buffer).subspan(Device::kHeadroom, packet.size());
    std::ranges::copy(packet, bytes.begin());
    std::vector<OutboundDatagram> datagrams;
    const OutboundPacket outbound{bytes};
    device->send(now, {&outbound, 1}, datagrams);
    for (const OutboundDatagram& datagram : datagrams) {
      outbox_.push_back({{}, datagram.to, to_vector(datagram.bytes)});
    }
  }

  template <class E>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [](const Event& e) { return std::holds_alternative<E>(e); }));
  }
  template <class E>
  std::optional<E> last() const {
    for (auto it = events.rbegin(); it != events.rend(); ++it) {
      if (const auto* event = std::get_if<E>(&*it)) return *event;
    }
    return std::nullopt;
  }

  std::optional<Device> device;
  std::vector<ByteVector> received;
  std::vector<Event> events;

 private:
  void take_events() {
    while (auto event = device->poll_event()) events.push_back(*event);
  }

  SeededRandom random_;
  std::vector<SimDatagram> outbox_;
};

struct ConfigOptions {
  Roaming roaming = Roaming::Follow;
  std::uint32_t handshakes_per_second = 500;
};

/// Alice knows where Bob is; Bob does not know where Alice is.
class Pair {
 public:
  explicit Pair(std::uint64_t seed, LinkFaults faults = {}, ConfigOptions options = {})
      : net(seed, faults), random_(seed + 1000), options_(options) {
    alice_key_ = private_key();
    bob_key_ = private_key();
    start_alice();
    start_bob();
  }

  void start_alice() {
    if (alice) net.detach(alice_at);
    alice = machine(*alice_key_, alice_times_);
    bob_id = *alice->device->add_peer(crypto::public_key(*bob_key_));
    alice->device->add_allowed_ip(bob_id, Prefix::host(kBobInside));
    alice->device->set_endpoint(net.now(), bob_id, kBobAt);
    alice->device->set_preshared_key(net.now(), bob_id, key(7));
    net.attach(alice_at, *alice);
  }

  void start_bob() {
    if (bob) net.detach(kBobAt);
    bob = machine(*bob_key_, bob_times_);
    alice_id = *bob->device->add_peer(crypto::public_key(*alice_key_));
    bob->device->add_allowed_ip(alice_id, Prefix::host(kAliceInside));
    bob->device->set_preshared_key(net.now(), alice_id, key(7));
    net.attach(kBobAt, *bob);
  }

  void move_alice(const Endpoint& to) {
    net.move(alice_at, to);
    alice_at = to;
  }

  void alice_sends(std::uint32_t number) {
    alice->send(net.now(), inner_packet(kAliceInside, kBobInside, number));
    net.flush();
  }
  void bob_sends(std::uint32_t number) {
    bob->send(net.now(), inner_packet(kBobInside, kAliceInside, number));
    net.flush();
  }

  bool bob_has(std::uint32_t number) const {
    return std::ranges::count(bob->received, inner_packet(kAliceInside, kBobInside, number)) > 0;
  }
  bool alice_has(std::uint32_t number) const {
    return std::ranges::count(alice->received, inner_packet(kBobInside, kAliceInside, number)) > 0;
  }

  /// Brings the tunnel up both ways.
  void come_up() {
    alice_sends(0xa0000);
    ASSERT_TRUE(net.run_until(60s, [&] { return bob_has(0xa0000); }));
    bob_sends(0xb0000);
    ASSERT_TRUE(net.run_until(60s, [&] { return alice_has(0xb0000); }));
  }

  /// Remembers everything that is sent from now on.
  void record() {
    net.set_filter([this](TimePoint, const SimDatagram& datagram) {
      recorded.push_back(datagram);
      return true;
    });
  }
  std::size_t recorded_of_type(std::uint32_t type) const {
    return static_cast<std::size_t>(std::ranges::count_if(recorded, [type](const auto& datagram) {
      return Reader(datagram.bytes).read<le32>() == type;
    }));
  }

  Sim net;
  Endpoint alice_at = kAliceAt;
  std::unique_ptr<Machine> alice;
  std::unique_ptr<Machine> bob;
  PeerId bob_id{};    // at alice
  PeerId alice_id{};  // at bob
  std::vector<SimDatagram> recorded;

 private:
  std::optional<crypto::PrivateKey> private_key() { return crypto::generate_private_key(random_); }
  std::unique_ptr<Machine> machine(const crypto::PrivateKey& own, TimestampSource& timestamps) {
    Config config;
    config.private_key = own.clone();
    config.roaming = options_.roaming;
    config.handshakes_per_second = options_.handshakes_per_second;
    return std::make_unique<Machine>(random_.u64(), timestamps, std::move(config));
  }

  SeededRandom random_;
  ConfigOptions options_;
  std::optional<crypto::PrivateKey> alice_key_;
  std::optional<crypto::PrivateKey> bob_key_;
  Timestamps alice_times_;
  Timestamps bob_times_;
};

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

// ---- what must change nothing

/// Everything about a machine that a bad datagram could change, its drop counters apart.
struct Snapshot {
  std::optional<Endpoint> endpoint;
  std::optional<TimePoint> last_handshake;
  std::optional<TimePoint> established;
  std::optional<TimePoint> next_timeout;
  std::uint64_t received_bytes;
  std::uint64_t sent_bytes;
  std::size_t received;
  std::size_t events;
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

Snapshot snapshot(const Machine& machine, TimePoint now, PeerId peer) {
  const PeerInfo info = machine.device->info(peer);
  const auto session = machine.device->session(now, peer);
  return {info.endpoint,
          info.last_handshake,
          session ? std::optional(session->established) : std::nullopt,
          machine.device->next_timeout(),
          info.received_bytes,
          info.sent_bytes,
          machine.received.size(),
          machine.events.size()};
}

TEST(DeviceSim, ReplaysOfAWholeConversationChangeNothing) {
  Pair pair(24);
  pair.record();
  pair.come_up();
  for (std::uint32_t i = 0; i < 20; ++i) pair.alice_sends(i);
  pair.net.run_for(1s);
  pair.net.set_filter(nullptr);
  const auto alice = snapshot(*pair.alice, pair.net.now(), pair.bob_id);
  const auto bob = snapshot(*pair.bob, pair.net.now(), pair.alice_id);
  for (SimDatagram datagram : pair.recorded) {
    datagram.from = kElsewhere;
    pair.net.inject(std::move(datagram));
    pair.net.run_for({});
    ASSERT_EQ(snapshot(*pair.alice, pair.net.now(), pair.bob_id), alice);
    ASSERT_EQ(snapshot(*pair.bob, pair.net.now(), pair.alice_id), bob);
  }
  const Counters& counters = pair.bob->device->counters();
  EXPECT_GT(counters.rate_limited + counters.stale_initiation, 0U);
  EXPECT_GT(counters.replayed, 20U);
  pair.alice_sends(1000);
  EXPECT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(1000); }));
}

TEST(DeviceSim, AReplayedInitiationIsStaleEvenLongAfter) {
  Pair pair(25);
  pair.record();
  pair.come_up();
  pair.net.run_for(60s);
  const SimDatagram initiation = pair.recorded.front();
  const auto bob = snapshot(*pair.bob, pair.net.now(), pair.alice_id);
  const auto sent = pair.recorded.size();
  pair.net.inject(initiation);
  pair.net.run_for(1ms);
  EXPECT_EQ(pair.bob->device->counters().stale_initiation, 1U);
  EXPECT_EQ(snapshot(*pair.bob, pair.net.now(), pair.alice_id), bob);
  EXPECT_EQ(pair.recorded.size(), sent);  // and it is not answered
}

/// Holds back the first datagram of a type, so that a test can damage it.
SimDatagram intercept(Pair& pair, std::uint32_t type) {
  std::optional<SimDatagram> caught;
  pair.net.set_filter([&](TimePoint, const SimDatagram& datagram) {
    if (caught || Reader(datagram.bytes).read<le32>() != type) return true;
    caught = datagram;
    return false;
  });
  if (!pair.alice->device->has_usable_session(pair.net.now(), pair.bob_id)) {
    pair.alice->device->start_handshake(pair.net.now(), pair.bob_id, Running::Keep);
    pair.net.flush();
  } else {
    pair.alice_sends(4711);
  }
  pair.net.run_for(100ms);
  pair.net.set_filter(nullptr);
  CHECK(caught.has_value());
  return *caught;
}

TEST(DeviceSim, ADatagramWithAnyBitFlippedOrCutAnywhereChangesNothingAndTheGenuineOneStillCounts) {
  for (const std::uint32_t type : {1U, 2U, 4U}) {
    SCOPED_TRACE(type);
    Pair pair(26 + type);
    if (type == 4) pair.come_up();
    const SimDatagram genuine = intercept(pair, type);
    const TimePoint now = pair.net.now();
    Machine& target = genuine.to == kBobAt ? *pair.bob : *pair.alice;
    const PeerId peer = genuine.to == kBobAt ? pair.alice_id : pair.bob_id;
    const auto before = snapshot(target, now, peer);
    for (std::size_t bit = 0; bit < genuine.bytes.size() * 8; bit += 3) {
      ByteVector damaged = genuine.bytes;
      damaged[bit / 8] ^= std::byte(1 << (bit % 8));
      // mac2 is looked at under load only.
      if (type != 4 && bit / 8 >= damaged.size() - 16) continue;
      target.handle_datagram(now, kElsewhere, damaged);
      ASSERT_EQ(snapshot(target, now, peer), before) << "bit " << bit;
      ASSERT_EQ(target.poll_transmit(), std::nullopt) << "bit " << bit;
    }
    for (std::size_t size = 0; size < genuine.bytes.size(); ++size) {
      target.handle_datagram(now, kElsewhere, ByteView(genuine.bytes).first(size));
      ASSERT_EQ(snapshot(target, now, peer), before) << "cut to " << size;
    }
    target.handle_datagram(now, genuine.from, genuine.bytes);
    EXPECT_NE(snapshot(target, now, peer), before);
  }
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
