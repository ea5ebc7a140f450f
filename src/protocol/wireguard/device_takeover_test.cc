// New preshared keys while packets flow, as `wg set NAME peer KEY preshared-key FILE` gives them.

#include "base/hex.h"
#include "protocol/wireguard/device_pair_test.h"
#include "protocol/wireguard/uapi.h"

#include <gmock/gmock.h>

namespace trellis::wireguard {
namespace {

void give(Pair& pair, Machine& machine, PeerId peer, std::uint8_t number) {
  Bytes<32> bytes;
  bytes.fill(std::byte{number});
  const std::string lines = "public_key=" + to_hex(machine.device->info(peer).public_key.bytes) +
                            "\npreshared_key=" + to_hex(bytes) + "\n";
  ASSERT_EQ(uapi::set(*machine.device, pair.net.now(), lines).error, uapi::Errno::Ok);
  pair.net.flush();
}

std::size_t sessions(const Pair& pair) {
  return pair.alice->count<SessionEstablished>() + pair.bob->count<SessionEstablished>();
}

/// A packet each way every 10 ms; each end gets its key at another moment.
TEST(DeviceTakeover, ANewKeyEveryFiveSecondsForTenMinutesLosesNothing) {
  Pair pair(81, {.delay = 3ms, .jitter = 2ms});
  pair.come_up();
  std::uint32_t number = 0;
  const auto exchange_for = [&](Duration duration) {
    for (const TimePoint end = pair.net.now() + duration; pair.net.now() < end;) {
      pair.alice_sends(++number);
      pair.bob_sends(number);
      pair.net.run_for(10ms);
    }
  };
  for (int i = 0; i < 120; ++i) {
    const std::size_t before = sessions(pair);
    const auto key_number = static_cast<std::uint8_t>(10 + i);
    give(pair, i % 2 == 0 ? *pair.alice : *pair.bob, i % 2 == 0 ? pair.bob_id : pair.alice_id,
         key_number);
    exchange_for(Duration(1ms) * (i % 50));
    give(pair, i % 2 == 0 ? *pair.bob : *pair.alice, i % 2 == 0 ? pair.alice_id : pair.bob_id,
         key_number);
    exchange_for(1s);
    EXPECT_GE(sessions(pair), before + 2) << "both ends, within a second";
    exchange_for(4s);
  }
  pair.net.run_for(1s);
  EXPECT_EQ(pair.bob->received.size(), number + 1);
  EXPECT_EQ(pair.alice->received.size(), number + 1);
  for (const Machine* machine : {pair.alice.get(), pair.bob.get()}) {
    const Counters& counters = machine->device->counters();
    EXPECT_EQ(counters.bad_tag + counters.unknown_index + counters.expired_session +
                  counters.replayed + counters.staged_overflow,
              0U);
  }
}

TEST(DeviceTakeover, TheKeyThatIsThereAlreadyDisturbsNothing) {
  Pair pair(82);
  pair.come_up();
  const std::size_t before = sessions(pair);
  give(pair, *pair.alice, pair.bob_id, 7);
  pair.net.run_for(1s);
  EXPECT_EQ(sessions(pair), before);
}

TEST(DeviceTakeover, AKeyThatTheOtherEndNeverGetsLeavesTheSessionUp) {
  Pair pair(83);
  pair.come_up();
  give(pair, *pair.alice, pair.bob_id, 99);
  for (std::uint32_t i = 0; i < 100; ++i) {
    pair.alice_sends(i);
    pair.net.run_for(1s);
    EXPECT_TRUE(pair.bob_has(i));
  }
}

}  // namespace
}  // namespace trellis::wireguard
