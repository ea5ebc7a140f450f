#include "base/source_budget.h"

#include <gtest/gtest.h>

#include <string>

namespace trellis {
namespace {

using namespace std::chrono_literals;

IpAddress address(const std::string& text) { return *IpAddress::parse(text); }

TEST(TokenBucket, GivesABurstAndThenSoManyASecond) {
  TokenBucket bucket(/*per_second=*/2, /*burst=*/3);
  TimePoint now{1h};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
  EXPECT_FALSE(bucket.full(now));
  now += 500ms;
  EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
  EXPECT_TRUE(bucket.full(now + 1500ms));
}

TEST(TokenBucket, TellsWhenItGivesAgain) {
  for (const double per_second : {1.0 / 60, 0.3, 7.0}) {
    SCOPED_TRACE(per_second);
    TokenBucket bucket(per_second, 2);
    TimePoint now{1h};
    EXPECT_EQ(bucket.next(now), now);
    for (int i = 0; i < 20; ++i) {
      while (bucket.take(now)) {
      }
      const TimePoint next = bucket.next(now);
      EXPECT_GT(next, now);
      EXPECT_FALSE(TokenBucket(bucket).take(next - 2us));
      now = next;
      EXPECT_TRUE(bucket.take(now));
    }
  }
}

TEST(SourceBudget, CountsEachPlaceByItself) {
  SourceBudget budget(/*per_second=*/1, /*burst=*/2, /*places_max=*/10);
  const TimePoint now{1h};
  EXPECT_TRUE(budget.take(now, address("192.0.2.1")));
  EXPECT_TRUE(budget.take(now, address("::ffff:192.0.2.1"))) << "the same";
  EXPECT_FALSE(budget.take(now, address("192.0.2.1")));
  EXPECT_TRUE(budget.take(now, address("192.0.2.2")));
  EXPECT_TRUE(budget.take(now, address("2001:db8::1")));
  EXPECT_TRUE(budget.take(now, address("2001:db8::2:3:4:5")));
  EXPECT_FALSE(budget.take(now, address("2001:db8::6"))) << "of the same /64";
  EXPECT_TRUE(budget.take(now, address("2001:db8:0:1::6")));
  EXPECT_TRUE(budget.take(now + 1s, address("192.0.2.1")));
}

TEST(SourceBudget, KeepsABoundedTable) {
  SourceBudget budget(/*per_second=*/1, /*burst=*/2, /*places_max=*/4);
  TimePoint now{1h};
  int taken = 0;
  for (int i = 0; i < 100; ++i) {
    if (budget.take(now, address("203.0.113." + std::to_string(i)))) ++taken;
  }
  EXPECT_EQ(budget.places(), 4U);
  EXPECT_EQ(taken, 4 + 2) << "those without a place share one budget";
  EXPECT_TRUE(budget.take(now, address("203.0.113.0"))) << "who has a place keeps it";
  now += 2s;
  for (int i = 200; i < 204; ++i) {
    EXPECT_TRUE(budget.take(now, address("203.0.113." + std::to_string(i))));
  }
  EXPECT_EQ(budget.places(), 4U);
}

}  // namespace
}  // namespace trellis
