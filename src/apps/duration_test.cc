#include "apps/duration.h"

#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

TEST(Duration, IsANumberAndAUnit) {
  EXPECT_EQ(parse_seconds("90"), 90U);
  EXPECT_EQ(parse_seconds("90s"), 90U);
  EXPECT_EQ(parse_seconds("30m"), 1800U);
  EXPECT_EQ(parse_seconds("24h"), 86'400U);
  EXPECT_EQ(parse_seconds("7d"), 604'800U);
  EXPECT_EQ(parse_seconds("2w"), 1'209'600U);
}

TEST(Duration, IsNothingElse) {
  for (const char* text : {"", "h", "0", "0h", "-1h", "1.5h", "24 h", "24H", "1y", "24hours", "+1",
                           "99999999999999999999", "200000w", "36526d"}) {
    EXPECT_FALSE(parse_seconds(text)) << text;
  }
  EXPECT_TRUE(parse_seconds("36525d"));
}

}  // namespace
}  // namespace trellis::apps
