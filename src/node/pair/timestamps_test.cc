#include "node/pair/timestamps.h"

#include <gtest/gtest.h>

namespace trellis::pair {
namespace {

constexpr WallTime kNoon{1'790'000'000'000'000'000};

WallTime later(WallTime time, Duration by) { return {time.nanoseconds_since_epoch + by.count()}; }

TEST(Timestamps, RiseWhileTheWallClockStandsStillOrGoesBack) {
  Timestamps timestamps(WallTime{});
  timestamps.set_wall_clock(kNoon);
  auto last = timestamps.next();
  for (const Duration step : {Duration(0), Duration(-1s), Duration(-std::chrono::hours(24))}) {
    timestamps.set_wall_clock(later(kNoon, step));
    const auto next = timestamps.next();
    EXPECT_GT(next, last);
    last = next;
  }
}

TEST(Timestamps, AreAlwaysBelowWhatIsReserved) {
  Timestamps timestamps(WallTime{});
  for (int i = 0; i < 1000; ++i) {
    timestamps.set_wall_clock(later(kNoon, i * 1s));
    const auto sent = timestamps.next();
    EXPECT_LT(sent, wireguard::Tai64n::from_unix(timestamps.reserved()));
  }
}

TEST(Timestamps, ReserveOnceAMinuteAndNotForEachInitiation) {
  Timestamps timestamps(WallTime{});
  int writes = 0;
  WallTime on_disk = timestamps.reserved();
  for (int i = 0; i < 600; ++i) {
    timestamps.set_wall_clock(later(kNoon, i * 1s));
    timestamps.next();
    if (timestamps.reserved() == on_disk) continue;
    on_disk = timestamps.reserved();
    ++writes;
  }
  EXPECT_EQ(writes, 10);
}

TEST(Timestamps, GoOnFromTheReservedMarkAfterARestartWithAnOldClock) {
  Timestamps before(WallTime{});
  before.set_wall_clock(kNoon);
  const auto sent = before.next();
  Timestamps after(before.reserved());
  after.set_wall_clock(later(kNoon, -std::chrono::hours(24)));
  EXPECT_GT(after.next(), sent);
}

}  // namespace
}  // namespace trellis::pair
