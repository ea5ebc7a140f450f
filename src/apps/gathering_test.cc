#include "apps/gathering.h"

#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

class GatheringTest : public ::testing::Test {
 protected:
  /// Reads of so many packets, so long after each other.
  void read(int times, std::size_t packets, Duration every) {
    for (int i = 0; i < times; ++i) gathering_.note_read(now_ += every, packets);
  }

  TimePoint now_{1h};
  Gathering gathering_;
};

TEST_F(GatheringTest, WaitsForTheRestOfAStream) {
  read(20, 3, 150us);
  EXPECT_FALSE(gathering_.should_wait()) << "it may be over soon";
  read(100, 3, 150us);
  EXPECT_TRUE(gathering_.should_wait());
  read(1000, 6, 300us);
  EXPECT_TRUE(gathering_.should_wait()) << "what has gathered is the same stream";
}

TEST_F(GatheringTest, ReadsMayDiffer) {
  for (int i = 0; i < 100; ++i) {
    read(1, 1, 100us);
    read(1, 5, 200us);
  }
  EXPECT_TRUE(gathering_.should_wait());
}

TEST_F(GatheringTest, NeverKeepsAnAnswerWaiting) {
  for (int i = 0; i < 1000; ++i) {
    read(1, 3, 150us);
    gathering_.note_received();
    EXPECT_FALSE(gathering_.should_wait());
  }
}

TEST_F(GatheringTest, NeverDelaysSinglePackets) {
  read(1000, 1, 150us);
  EXPECT_FALSE(gathering_.should_wait());
}

TEST_F(GatheringTest, LeavesSlowStreamsAlone) {
  read(1000, 3, 1ms);
  EXPECT_FALSE(gathering_.should_wait());
}

TEST_F(GatheringTest, LeavesFullBatchesAlone) {
  read(1000, 64, 150us);
  EXPECT_FALSE(gathering_.should_wait());
}

TEST_F(GatheringTest, EndsWithTheStream) {
  read(100, 3, 150us);
  ASSERT_TRUE(gathering_.should_wait());
  read(128, 1, 200us);
  EXPECT_FALSE(gathering_.should_wait());
}

}  // namespace
}  // namespace trellis::apps
