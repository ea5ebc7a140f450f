#include "node/netmap/underlay.h"

#include <gmock/gmock.h>

namespace trellis::netmap {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

NetworkInterface interface(std::string name, std::initializer_list<const char*> addresses) {
  NetworkInterface result;
  result.name = std::move(name);
  result.up = true;
  for (const char* text : addresses) {
    result.addresses.push_back({.address = *InterfaceAddress::parse(text), .usable = true});
  }
  return result;
}

std::vector<std::string> texts(const std::vector<NetworkInterface>& interfaces) {
  std::vector<std::string> result;
  for (const IpAddress& address :
       host_addresses(interfaces, "trellis0",
                      {*Prefix::parse("100.92.0.0/16"), *Prefix::parse("fd77:1:2:3::/64")})) {
    result.push_back(address.to_string());
  }
  return result;
}

TEST(HostAddresses, AreThoseAtWhichAPeerMayTry) {
  EXPECT_THAT(texts({interface("eth0", {"192.0.2.7/24", "2001:db8::7/64", "fe80::1/64"}),
                     interface("wlan0", {"10.1.2.3/8"})}),
              ElementsAre("192.0.2.7", "2001:db8::7", "10.1.2.3"));
}

TEST(HostAddresses, AreNeverOfTheOverlayOrOfNoUseToOthers) {
  EXPECT_THAT(texts({interface("eth0", {"100.92.0.9/16", "fd77:1:2:3::9/64", "127.0.0.1/8", "::1",
                                        "169.254.1.1/16", "fe80::1/64", "224.0.0.1", "ff02::1",
                                        "0.0.0.0", "::", "::ffff:192.0.2.1"})}),
              IsEmpty());
}

TEST(HostAddresses, AreOfInterfacesThatLeadOut) {
  auto down = interface("eth0", {"192.0.2.1/24"});
  down.up = false;
  auto loopback = interface("lo", {"192.0.2.2/24"});
  loopback.loopback = true;
  auto vpn = interface("wg0", {"192.0.2.3/24"});
  vpn.tunnel = true;
  auto docker = interface("docker0", {"172.17.0.1/16"});
  docker.bridge = true;
  auto lan = interface("br0", {"192.0.2.4/24"});
  lan.bridge = true;
  const auto own = interface("trellis0", {"192.0.2.5/24"});
  const auto named_like_one = interface("docker1", {"192.0.2.6/24"});
  EXPECT_THAT(texts({down, loopback, vpn, docker, lan, own, named_like_one}),
              ElementsAre("192.0.2.4", "192.0.2.6"));
}

TEST(HostAddresses, AreApprovedByTheKernelAndNamedOnce) {
  auto eth0 = interface("eth0", {"2001:db8::1/64", "2001:db8::2/64"});
  eth0.addresses[0].usable = false;
  EXPECT_THAT(texts({eth0, interface("eth1", {"2001:db8::2/64"})}), ElementsAre("2001:db8::2"));
}

TEST(HostAddresses, OfOneFamilyDoNotCrowdOutTheOther) {
  NetworkInterface crowded = interface("eth0", {});
  for (int i = 1; i <= 100; ++i) {
    crowded.addresses.push_back(
        {.address = *InterfaceAddress::parse("2001:db8::" + std::to_string(i)), .usable = true});
  }
  const auto result = texts({crowded, interface("eth1", {"192.0.2.1/24"})});
  EXPECT_EQ(result.size(), kHostAddressesMax);
  EXPECT_EQ(result.front(), "192.0.2.1");
}

}  // namespace
}  // namespace trellis::netmap
