#include "node/link/static_link.h"

#include <gtest/gtest.h>

namespace trellis::link {
namespace {

const Endpoint kHome = *Endpoint::parse("192.0.2.1:51820");
const Endpoint kHome6 = *Endpoint::parse("[2001:db8::1]:51820");
const Endpoint kAway = *Endpoint::parse("198.51.100.7:4000");

TEST(StaticLink, HasNoPathUntilOneIsKnown) {
  StaticLink link;
  EXPECT_FALSE(link.path());
  EXPECT_FALSE(link.unanswered());
}

TEST(StaticLink, FollowsThePeerAndComesBackWhenItFallsSilent) {
  StaticLink link;
  link.set_configured({kHome});
  EXPECT_EQ(link.path(), kHome);
  EXPECT_TRUE(link.authenticated(kAway));
  EXPECT_FALSE(link.authenticated(kAway));
  EXPECT_EQ(link.path(), kAway);
  link.unanswered();
  EXPECT_EQ(link.path(), kHome);
  link.unanswered();
  EXPECT_EQ(link.path(), kAway);
}

TEST(StaticLink, TriesEveryAddressOfAHostName) {
  StaticLink link;
  link.set_configured({kHome6, kHome});
  EXPECT_EQ(link.path(), kHome6);
  EXPECT_TRUE(link.unanswered());
  EXPECT_EQ(link.path(), kHome);
}

TEST(StaticLink, ResolvingAgainLeavesAWorkingPathAlone) {
  StaticLink link;
  link.set_configured({kHome});
  link.authenticated(kAway);
  link.set_configured({kHome6, kHome});
  EXPECT_EQ(link.path(), kAway);
}

TEST(StaticLink, DropsAnAddressThatTheNameNoLongerHas) {
  StaticLink link;
  link.set_configured({kHome});
  link.set_configured({kHome6});
  EXPECT_EQ(link.path(), kHome6);
}

}  // namespace
}  // namespace trellis::link
