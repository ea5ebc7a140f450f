#include "node/link/path_rules.h"

#include <gtest/gtest.h>

namespace trellis::link {
namespace {

TEST(PathRules, LeadOnlyToSingleMachinesOutsideOfTheVpn) {
  const std::vector<Prefix> overlay = {*Prefix::parse("100.64.0.0/16"),
                                       *Prefix::parse("fd00:7::/64")};
  for (const char* good : {"192.0.2.1:51820", "10.0.0.1:1", "100.65.0.1:51820", "8.8.8.8:53",
                           "[2001:db8::1]:51820", "[fd00:8::1]:51820"}) {
    EXPECT_TRUE(may_lead_to_peer(*Endpoint::parse(good), overlay)) << good;
  }
  for (const char* bad :
       {"0.0.0.0:51820", "0.1.2.3:51820", "127.0.0.1:51820", "127.9.9.9:51820", "224.0.0.1:51820",
        "239.255.255.255:1", "255.255.255.255:51820", "240.0.0.1:51820", "169.254.1.1:51820",
        "100.64.9.9:51820", "[::]:51820", "[::1]:51820", "[ff02::1]:51820", "[fe80::1%3]:51820",
        "[fe80::1]:51820", "[fd00:7::9]:51820", "[::ffff:192.0.2.1]:51820"}) {
    const auto endpoint = Endpoint::parse(bad);
    ASSERT_TRUE(endpoint) << bad;
    EXPECT_FALSE(may_lead_to_peer(*endpoint, overlay)) << bad;
  }
  EXPECT_FALSE(may_lead_to_peer({*IpAddress::parse("192.0.2.1"), 0}, overlay)) << "no port";
}

}  // namespace
}  // namespace trellis::link
