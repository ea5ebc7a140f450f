#include "node/mesh/freshness.h"

#include <gtest/gtest.h>

namespace trellis::mesh {
namespace {

using Verdict = Freshness::Verdict;

Bytes<16> instance(std::uint8_t number) { return {std::byte{number}}; }

TEST(Freshness, TakesEachOfferOfAStartOnce) {
  Freshness freshness;
  EXPECT_EQ(freshness.take(instance(1), 5), Verdict::Restarted);
  EXPECT_EQ(freshness.take(instance(1), 5), Verdict::Stale);
  EXPECT_EQ(freshness.take(instance(1), 4), Verdict::Stale);
  EXPECT_EQ(freshness.take(instance(1), 7), Verdict::Next) << "one was lost";
  EXPECT_EQ(freshness.take(instance(1), 6), Verdict::Stale);
  EXPECT_EQ(freshness.take(instance(1), 8), Verdict::Next);
}

TEST(Freshness, AStartThatAnotherOneFollowedDoesNotComeBack) {
  Freshness freshness;
  freshness.take(instance(1), 1);
  EXPECT_EQ(freshness.take(instance(2), 1), Verdict::Restarted) << "its count begins anew";
  EXPECT_EQ(freshness.take(instance(1), 2), Verdict::Stale);
  EXPECT_EQ(freshness.take(instance(1), 4'000'000'000), Verdict::Stale);
  EXPECT_EQ(freshness.take(instance(2), 2), Verdict::Next);
}

TEST(Freshness, RemembersAsManyStartsAsItSays) {
  Freshness freshness;
  for (std::uint8_t i = 0; i < Freshness::kInstancesMax; ++i) freshness.take(instance(i), 1);
  EXPECT_EQ(freshness.take(instance(0), 2), Verdict::Stale);
  freshness.take(instance(200), 1);
  EXPECT_EQ(freshness.take(instance(1), 2), Verdict::Stale);
  EXPECT_EQ(freshness.take(instance(0), 2), Verdict::Restarted) << "forgotten";
}

}  // namespace
}  // namespace trellis::mesh
