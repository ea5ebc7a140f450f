// What forged, damaged and replayed messages must not change.

#include "protocol/wireguard/device_pair_test.h"

#include <gmock/gmock.h>

#include <array>
#include <bit>
#include <numeric>

namespace trellis::wireguard {
namespace {

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

std::uint64_t drops(const Machine& machine) {
  const auto counters =
      std::bit_cast<std::array<std::uint64_t, sizeof(Counters) / sizeof(std::uint64_t)>>(
          machine.device->counters());
  return std::accumulate(counters.begin(), counters.end(), std::uint64_t{0});
}

TEST(DeviceAttack, MessagesThatComeBackToWhoSentThemChangeNothing) {
  Pair pair(33);
  pair.record();
  pair.come_up();
  pair.net.run_for(1s);
  pair.net.set_filter(nullptr);
  ASSERT_GE(pair.recorded.size(), 4U);
  for (const SimDatagram& datagram : pair.recorded) {
    const bool alices = datagram.from == kAliceAt;
    Machine& sender = alices ? *pair.alice : *pair.bob;
    const PeerId peer = alices ? pair.bob_id : pair.alice_id;
    const auto before = snapshot(sender, pair.net.now(), peer);
    const std::uint64_t dropped = drops(sender);
    sender.handle_datagram(pair.net.now(), datagram.to, datagram.bytes);
    EXPECT_EQ(snapshot(sender, pair.net.now(), peer), before);
    EXPECT_EQ(sender.poll_transmit(), std::nullopt);
    EXPECT_EQ(drops(sender), dropped + 1);
  }
}

TEST(DeviceAttack, EveryIndexThatIsNotTheSessionsIsCountedAndDropped) {
  Pair pair(34);
  pair.record();
  pair.come_up();
  pair.net.set_filter(nullptr);
  const SimDatagram data = pair.recorded.back();  // from Bob
  const auto before = snapshot(*pair.alice, pair.net.now(), pair.bob_id);
  const std::uint64_t unknown = pair.alice->device->counters().unknown_index;
  const std::uint32_t index = Reader(ByteView(data.bytes).subspan(4)).read<le32>();
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    ByteVector wrong = data.bytes;
    const le32 other = index + i * 0x1003f;
    std::memcpy(wrong.data() + 4, &other, sizeof other);
    pair.alice->handle_datagram(pair.net.now(), kBobAt, wrong);
  }
  EXPECT_EQ(pair.alice->device->counters().unknown_index, unknown + 1000);
  EXPECT_EQ(snapshot(*pair.alice, pair.net.now(), pair.bob_id), before);
}

/// It knows our public key, so that its mac1 is right, and has keys of its own.
TEST(DeviceAttack, AStrangerWithAWellFormedInitiationHearsNothing) {
  Pair pair(35);
  Pair strangers(36);
  strangers.bob->device->set_private_key(pair.bob->device->private_key()->clone());
  strangers.alice->device->remove_peer(strangers.bob_id);
  const PeerId target = *strangers.alice->device->add_peer(*pair.bob->device->public_key());
  strangers.alice->device->set_endpoint(pair.net.now(), target, kBobAt);
  strangers.alice->device->set_preshared_key(pair.net.now(), target, key(7));
  strangers.alice->device->start_handshake(pair.net.now(), target, Running::Keep);
  const auto initiation = strangers.alice->device->poll_transmit();
  ASSERT_TRUE(initiation);
  const auto before = snapshot(*pair.bob, pair.net.now(), pair.alice_id);
  pair.bob->handle_datagram(pair.net.now(), kElsewhere, initiation->bytes);
  EXPECT_EQ(pair.bob->poll_transmit(), std::nullopt);
  EXPECT_EQ(pair.bob->device->counters().unknown_peer, 1U);
  EXPECT_EQ(snapshot(*pair.bob, pair.net.now(), pair.alice_id), before);
}

TEST(DeviceAttack, ReplaysOfAWholeConversationChangeNothing) {
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

TEST(DeviceAttack, AReplayedInitiationIsStaleEvenLongAfter) {
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

TEST(DeviceAttack,
     ADatagramWithAnyBitFlippedOrCutAnywhereChangesNothingAndTheGenuineOneStillCounts) {
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
      const std::uint64_t dropped = drops(target);
      target.handle_datagram(now, kElsewhere, damaged);
      ASSERT_EQ(drops(target), dropped + 1) << "bit " << bit;
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

}  // namespace
}  // namespace trellis::wireguard
