#include "protocol/wireguard/replay_window.h"

#include "protocol/wireguard/constants.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace trellis::wireguard {
namespace {

constexpr std::uint64_t kSize = ReplayWindow::kSize;

bool take(ReplayWindow& window, std::uint64_t counter) {
  if (!window.would_accept(counter)) return false;
  window.accept(counter);
  return true;
}

TEST(ReplayWindow, AcceptsEachCounterOnce) {
  ReplayWindow window;
  for (const std::uint64_t counter : {0U, 1U, 9U, 8U, 7U, 63U, 64U, 65U}) {
    EXPECT_TRUE(take(window, counter)) << counter;
    EXPECT_FALSE(take(window, counter)) << counter;
  }
}

TEST(ReplayWindow, ReachesBackExactlyItsSize) {
  ReplayWindow window;
  const std::uint64_t top = 5 * kSize + 17;
  EXPECT_TRUE(take(window, top));
  EXPECT_FALSE(window.would_accept(top - kSize));
  EXPECT_TRUE(take(window, top - kSize + 1));
  EXPECT_FALSE(take(window, top - kSize + 1));
}

TEST(ReplayWindow, AcceptsTheLastCounterOfASession) {
  ReplayWindow window;
  EXPECT_TRUE(take(window, 3));
  EXPECT_TRUE(take(window, kRejectAfterMessages - 1));
  EXPECT_FALSE(take(window, 3));
  EXPECT_TRUE(take(window, kRejectAfterMessages - 2));
}

TEST(ReplayWindow, TellsWhetherACounterIsTheGreatest) {
  ReplayWindow window;
  EXPECT_TRUE(window.accept(0));
  EXPECT_TRUE(window.accept(5));
  EXPECT_FALSE(window.accept(4));
  EXPECT_TRUE(window.accept(6));
}

TEST(ReplayWindow, AgreesWithASetOfCountersThroughJumps) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    testing::SeededRandom random(seed);
    ReplayWindow window;
    std::set<std::uint64_t> seen;
    std::uint64_t greatest = 0;
    for (int i = 0; i < 5000; ++i) {
      const std::uint64_t reach = random.below(20) == 0 ? 3 * kSize : 200;
      const std::uint64_t base = greatest + reach;
      const std::uint64_t back = random.below(random.below(8) == 0 ? 3 * kSize : 2 * reach);
      const std::uint64_t counter = base > back ? base - back : 0;
      const bool fresh = !seen.contains(counter) &&
                         (seen.empty() || counter > greatest || greatest - counter < kSize);
      ASSERT_EQ(take(window, counter), fresh) << counter << " after " << greatest;
      if (fresh) seen.insert(counter);
      if (fresh) greatest = std::max(greatest, counter);
    }
  }
}

}  // namespace
}  // namespace trellis::wireguard
