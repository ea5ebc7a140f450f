#include "apps/humanise.h"

#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

TEST(Humanise, GivesTimesInTheTwoLargestUnits) {
  EXPECT_EQ(human_seconds(-1), "0s");
  EXPECT_EQ(human_seconds(0.9), "0s");
  EXPECT_EQ(human_seconds(59.999), "59s");
  EXPECT_EQ(human_seconds(60), "1m 0s");
  EXPECT_EQ(human_seconds(3599), "59m 59s");
  EXPECT_EQ(human_seconds(3600 + 120), "1h 2m");
  EXPECT_EQ(human_seconds(3 * 86400 + 4 * 3600 + 59), "3d 4h");
}

TEST(Humanise, GivesBytesInTheUnitThatKeepsThemShort) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(human_bytes(12'897'485), "12.3 MiB");
  EXPECT_EQ(human_bytes(~std::uint64_t{0}), "16384.0 PiB");
}

TEST(Humanise, FitsColumnsToTheirWidestCell) {
  EXPECT_EQ(fit_columns({{"NAME", "X"}, {"a", ""}, {"longer", "1"}, {"zürich", "2"}}),
            "NAME    X\n"
            "a\n"
            "longer  1\n"
            "zürich  2\n");
  EXPECT_EQ(fit_columns({}), "");
}

TEST(Humanise, GuessesWhatWasMeantOnlyIfItIsNear) {
  const std::vector<std::string> known = {"status", "peers", "keys", "reload"};
  EXPECT_EQ(nearest("staus", known), "status");
  EXPECT_EQ(nearest("peer", known), "peers");
  EXPECT_EQ(nearest("kesy", known), "keys");
  EXPECT_EQ(nearest("status", known), "status");
  EXPECT_EQ(nearest("reboot", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace trellis::apps
