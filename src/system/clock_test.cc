#include "system/clock.h"

#include "system/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ctime>

namespace trellis::system {
namespace {

TEST(Clock, CountsTimeSinceBoot) {
  timespec before{};
  ::clock_gettime(CLOCK_BOOTTIME, &before);
  const TimePoint first = boot_now();
  const TimePoint second = boot_now();
  EXPECT_GE(second, first);
  EXPECT_GE(first.time_since_epoch(), std::chrono::seconds(before.tv_sec));
  EXPECT_LT(first.time_since_epoch(), std::chrono::seconds(before.tv_sec + 10));
}

TEST(Clock, TheWallClockIsUtcSince1970) {
  EXPECT_NEAR(static_cast<double>(wall_now().nanoseconds_since_epoch) / 1e9,
              static_cast<double>(std::time(nullptr)), 2.0);
}

TEST(SystemRandom, FillsAllBytesAndNeverRepeats) {
  SystemRandom random;
  const auto first = random.bytes<32>();
  const auto second = random.bytes<32>();
  EXPECT_NE(first, second);
  ByteVector many(1 << 20);  // beyond what the kernel yields without interruption
  random.fill(many);
  const auto tail = std::span(many).last(64);
  EXPECT_FALSE(std::all_of(tail.begin(), tail.end(), [](std::byte b) { return b == std::byte{}; }));
}

}  // namespace
}  // namespace trellis::system
