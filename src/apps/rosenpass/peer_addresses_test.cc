#include "apps/rosenpass/peer_addresses.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass_program {
namespace {

const Endpoint kOne = *Endpoint::parse("192.0.2.1:1");
const Endpoint kTwo = *Endpoint::parse("192.0.2.2:2");
const Endpoint kThree = *Endpoint::parse("192.0.2.3:3");

TEST(PeerAddresses, AreTriedRoundAndRound) {
  PeerAddresses addresses;
  EXPECT_FALSE(addresses.current());
  EXPECT_FALSE(addresses.try_next());
  addresses.set_resolved({kOne, kTwo});
  EXPECT_EQ(addresses.current(), kOne);
  EXPECT_TRUE(addresses.try_next());
  EXPECT_EQ(addresses.current(), kTwo);
  EXPECT_TRUE(addresses.try_next());
  EXPECT_EQ(addresses.current(), kOne);
}

TEST(PeerAddresses, StayWhereThePeerWasHeard) {
  PeerAddresses addresses;
  addresses.set_resolved({kOne});
  EXPECT_FALSE(addresses.try_next()) << "there is no other";
  addresses.set_heard(kThree);
  EXPECT_EQ(addresses.current(), kThree);
  addresses.set_resolved({kTwo});
  EXPECT_EQ(addresses.current(), kThree);
  EXPECT_TRUE(addresses.try_next());
  EXPECT_EQ(addresses.current(), kTwo);
  EXPECT_TRUE(addresses.try_next());
  EXPECT_EQ(addresses.current(), kThree) << "the last known one is not forgotten";
}

}  // namespace
}  // namespace trellis::rosenpass_program
