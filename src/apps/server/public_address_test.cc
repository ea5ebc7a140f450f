#include "apps/server/public_address.h"

#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

NetworkState host_with(std::initializer_list<const char*> addresses) {
  NetworkInterface loopback;
  loopback.name = "lo";
  loopback.up = loopback.loopback = true;
  loopback.addresses.push_back({*InterfaceAddress::parse("127.0.0.1/8")});
  NetworkInterface card;
  card.name = "eth0";
  card.up = true;
  for (const char* address : addresses) {
    card.addresses.push_back({*InterfaceAddress::parse(address)});
  }
  NetworkState state;
  state.interfaces = {loopback, card};
  return state;
}

std::string shown(std::string_view named, std::string_view listen,
                  std::initializer_list<const char*> addresses = {}) {
  const auto line = public_address(named, parse_listen(listen).value(), host_with(addresses));
  return line ? line->authority() : "error: " + line.error().message;
}

TEST(PublicAddress, IsWhatTheAdministratorSays) {
  EXPECT_EQ(shown("vpn.example.org", ":443"), "vpn.example.org");
  EXPECT_EQ(shown("vpn.example.org", ":8443"), "vpn.example.org:8443");
  EXPECT_EQ(shown("vpn.example.org:444", ":8443"), "vpn.example.org:444");
  EXPECT_EQ(shown("192.0.2.1", ":8443"), "192.0.2.1:8443");
  EXPECT_EQ(shown("2001:db8::1", ":443"), "[2001:db8::1]");
  EXPECT_EQ(shown("[2001:db8::1]:444", ":443"), "[2001:db8::1]:444");
  for (const char* text : {"no such host", "https://vpn", "a:b", "a:0", "a:99999", "#", "a/b"}) {
    EXPECT_EQ(shown(text, ":443").substr(0, 6), "error:") << text;
  }
}

TEST(PublicAddress, IsElseWhereItListens) {
  EXPECT_EQ(shown("", "192.0.2.7:443", {"198.51.100.1/24"}), "192.0.2.7");
  EXPECT_EQ(shown("", "[2001:db8::7]:8443"), "[2001:db8::7]:8443");
}

TEST(PublicAddress, IsElseOneOfThisHost) {
  EXPECT_EQ(shown("", ":443", {"fe80::1/64", "2001:db8::5/64", "198.51.100.1/24"}), "198.51.100.1");
  EXPECT_EQ(shown("", ":443", {"fe80::1/64", "2001:db8::5/64"}), "[2001:db8::5]");
  EXPECT_EQ(shown("", ":443", {}), "127.0.0.1");
  NetworkState down = host_with({"198.51.100.1/24"});
  down.interfaces[1].up = false;
  EXPECT_EQ(public_address("", parse_listen(":443").value(), down)->host, "127.0.0.1");
}

TEST(Listen, IsAnAddressAndAPort) {
  EXPECT_EQ(parse_listen(":443")->size(), 2U);
  EXPECT_EQ(parse_listen("127.0.0.1:8443")->front().to_string(), "127.0.0.1:8443");
  for (const char* text : {"", ":", ":0", ":65536", "443", "localhost:443", "1.2.3.4", ":443 "}) {
    EXPECT_FALSE(parse_listen(text)) << text;
  }
}

}  // namespace
}  // namespace trellis::apps
