// Sessions whose counters come to their end. Nobody gets there by sending: they begin near it.

#include "protocol/wireguard/device_pair_test.h"

#include <gmock/gmock.h>

namespace trellis::wireguard {
namespace {

TEST(DeviceCounter, RenewsASessionAfterSoManyMessagesWithoutLosingOne) {
  Pair pair(61, {.delay = 5ms}, {.first_counter = kRekeyAfterMessages - 4});
  pair.come_up();
  for (std::uint32_t i = 0; i < 40; ++i) {
    pair.alice_sends(i);
    pair.net.run_for(100ms);
    EXPECT_TRUE(pair.bob_has(i));
  }
  EXPECT_GE(pair.alice->count<SessionEstablished>(), 8U);
  EXPECT_LE(pair.alice->count<SessionEstablished>(), 12U);
}

TEST(DeviceCounter, TheResponderAsksForTheNextSessionToo) {
  Pair pair(62, {.delay = 5ms}, {.first_counter = kRekeyAfterMessages - 4});
  pair.come_up();
  ASSERT_EQ(pair.bob->last<SessionEstablished>()->role, Role::Responder);
  for (std::uint32_t i = 0; i < 5; ++i) {
    pair.bob_sends(i);
    pair.net.run_for(100ms);
    EXPECT_TRUE(pair.alice_has(i));
  }
  EXPECT_EQ(pair.bob->last<SessionEstablished>()->role, Role::Initiator);
}

TEST(DeviceCounter, SendsNothingUnderASessionWithoutCountersLeft) {
  Pair pair(63, {}, {.first_counter = kRejectAfterMessages - 3});
  std::size_t initiations = 0;
  bool open = false;
  pair.net.set_filter([&](TimePoint, const SimDatagram& datagram) {
    return Reader(datagram.bytes).read<le32>() != 1U || ++initiations == 1 || open;
  });
  for (std::uint32_t i = 0; i < 10; ++i) {
    pair.alice_sends(i);
    pair.net.run_for(100ms);
  }
  EXPECT_EQ(pair.bob->received.size(), 3U);
  EXPECT_FALSE(pair.alice->device->has_usable_session(pair.net.now(), pair.bob_id));
  EXPECT_GT(initiations, 1U);
  open = true;  // what waits goes out under the next ones, three under each
  pair.net.run_for(60s);
  for (std::uint32_t i = 0; i < 10; ++i) EXPECT_TRUE(pair.bob_has(i)) << i;
}

}  // namespace
}  // namespace trellis::wireguard
