#include "base/address.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace trellis {
namespace {

IpAddress address(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(IpAddress{});
}

Prefix prefix(std::string_view text) {
  const auto parsed = Prefix::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(Prefix{});
}

TEST(IpAddress, IsReadAndWrittenInItsCanonicalForm) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"192.0.2.1", "192.0.2.1"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      // [RFC 5952 1, 2, 4]
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:0db8::0001", "2001:db8::1"},
      {"2001:DB8::AaBb", "2001:db8::aabb"},
      {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
      {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one zero group is written out
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},  // the longest run
      {"0:0:1:0:0:0:0:0", "0:0:1::"},
      {"0:0:0:0:0:0:0:1", "::1"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"0:0:1:1:0:0:1:1", "::1:1:0:0:1:1"},  // the first of two that are equal
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      // [RFC 4291 2.2]
      {"::192.0.2.1", "::c000:201"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201"},
  };
  for (const auto& [text, canonical] : cases) {
    const IpAddress parsed = address(text);
    EXPECT_EQ(parsed.to_string(), canonical) << text;
    EXPECT_EQ(address(canonical), parsed);
  }
}

TEST(IpAddress, RefusesWhatIsMalformed) {
  for (const std::string_view text : {"",
                                      " ",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.",
                                      ".1.2.3",
                                      "1..2.3",
                                      "1.2.3.4.",
                                      "256.0.0.1",
                                      "1.2.3.999",
                                      "01.2.3.4",
                                      "1.2.3.00",
                                      "1.2.3.-4",
                                      "1.2.3.+4",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "0x1.2.3.4",
                                      "1.2.3.a",
                                      "1.2.3.4/24",
                                      "a.b.c.d",
                                      ":",
                                      ":::",
                                      "::1::",
                                      "1::2::3",
                                      "1:",
                                      ":1",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7:8::",
                                      "::1:2:3:4:5:6:7:8",
                                      "1:2:3:4::5:6:7:8",
                                      "12345::",
                                      "g::",
                                      "::0x1",
                                      "::-1",
                                      "::+1",
                                      "::1 ",
                                      " ::1",
                                      "fe80::1%eth0",
                                      "fe80::1%1",
                                      "[::1]",
                                      "::1.2.3",
                                      "::1.2.3.256",
                                      "1.2.3.4::",
                                      "::1.2.3.4:5",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "::01.2.3.4",
                                      "::1/64"}) {
    EXPECT_FALSE(IpAddress::parse(text).has_value()) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)).has_value());
}

TEST(IpAddress, KnowsItsKind) {
  struct Case {
    std::string_view text;
    bool loopback, multicast, unspecified, link_local;
  };
  const Case cases[] = {
      {"127.0.0.1", true, false, false, false},    {"127.255.0.3", true, false, false, false},
      {"128.0.0.1", false, false, false, false},   {"::1", true, false, false, false},
      {"1::1", false, false, false, false},        {"::2", false, false, false, false},
      {"224.0.0.1", false, true, false, false},    {"239.1.2.3", false, true, false, false},
      {"240.0.0.1", false, false, false, false},   {"223.255.255.255", false, false, false, false},
      {"ff02::1", false, true, false, false},      {"fe00::1", false, false, false, false},
      {"0.0.0.0", false, false, true, false},      {"::", false, false, true, false},
      {"0.0.0.1", false, false, false, false},     {"169.254.0.1", false, false, false, true},
      {"169.255.0.1", false, false, false, false}, {"fe80::1", false, false, false, true},
      {"febf::1", false, false, false, true},      {"fec0::1", false, false, false, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const IpAddress a = address(c.text);
    EXPECT_EQ(a.is_loopback(), c.loopback);
    EXPECT_EQ(a.is_multicast(), c.multicast);
    EXPECT_EQ(a.is_unspecified(), c.unspecified);
    EXPECT_EQ(a.is_link_local(), c.link_local);
    EXPECT_NE(a.is_v4(), a.is_v6());
    EXPECT_EQ(a.bits(), 8 * a.bytes().size());
  }
}

TEST(IpAddress, LosesTheMappingOfV4) {
  EXPECT_EQ(address("::ffff:192.0.2.1").unmapped(), address("192.0.2.1"));
  for (const std::string_view text :
       {"192.0.2.1", "::192.0.2.1", "::fffe:192.0.2.1", "1::ffff:1:2"}) {
    EXPECT_EQ(address(text).unmapped(), address(text)) << text;
  }
}

TEST(IpAddress, OfDifferentFamiliesDiffer) {
  EXPECT_NE(address("0.0.0.0"), address("::"));
  EXPECT_NE(address("1.2.3.4"), address("102:304::"));
  EXPECT_LT(address("255.255.255.255"), address("::"));
  EXPECT_LT(address("10.0.0.9"), address("10.0.0.10"));
}

TEST(Endpoint, IsReadAndWritten) {
  const auto v4 = Endpoint::parse("192.0.2.1:51820");
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(*v4, (Endpoint{address("192.0.2.1"), 51820, 0}));
  const auto scoped = Endpoint::parse("[fe80::1%3]:65535");
  ASSERT_TRUE(scoped.has_value());
  EXPECT_EQ(*scoped, (Endpoint{address("fe80::1"), 65535, 3}));
  for (const std::string_view text :
       {"192.0.2.1:51820", "[2001:db8::1]:51820", "[fe80::1%3]:1", "[::]:65535"}) {
    const auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint.has_value()) << text;
    EXPECT_EQ(endpoint->to_string(), text);
  }
}

TEST(Endpoint, RefusesWhatIsMalformed) {
  for (const std::string_view text : {"",
                                      ":",
                                      "192.0.2.1",
                                      "192.0.2.1:",
                                      ":1",
                                      "192.0.2.1:0",
                                      "192.0.2.1:65536",
                                      "192.0.2.1:01",
                                      "192.0.2.1:-1",
                                      "192.0.2.1:+1",
                                      "192.0.2.1: 1",
                                      "192.0.2.1:1 ",
                                      "192.0.2.1:x",
                                      "[192.0.2.1]:1",
                                      "2001:db8::1:51820",
                                      "[::1]",
                                      "[::1]:",
                                      "[::1:1",
                                      "::1]:1",
                                      "[]:1",
                                      "[::1]1",
                                      "[::1]x:1",
                                      "[fe80::1%]:1",
                                      "[fe80::1%eth0]:1",
                                      "[fe80::1%4294967296]:1",
                                      "[%1]:1",
                                      "example.org:1",
                                      "[[::1]]:1"}) {
    EXPECT_FALSE(Endpoint::parse(text).has_value()) << text;
  }
}

TEST(Endpoint, ThatDiffersHashesOtherwise) {
  std::unordered_set<Endpoint> set;
  for (const std::string_view host : {"192.0.2.1", "192.0.2.2", "2001:db8::1", "fe80::1"}) {
    for (const std::uint16_t port : std::initializer_list<std::uint16_t>{1, 2, 51820}) {
      for (const std::uint32_t scope : {0U, 1U}) set.insert({address(host), port, scope});
    }
  }
  EXPECT_EQ(set.size(), 24U);
  EXPECT_TRUE(set.contains({address("192.0.2.2"), 51820, 0}));
  std::unordered_set<std::size_t> hashes;
  for (const Endpoint& endpoint : set) hashes.insert(std::hash<Endpoint>{}(endpoint));
  EXPECT_EQ(hashes.size(), set.size());
}

TEST(Prefix, DropsHostBits) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"10.1.2.3/8", "10.0.0.0/8"},
      {"10.1.2.3/0", "0.0.0.0/0"},
      {"10.1.2.3/32", "10.1.2.3/32"},
      {"10.1.2.3", "10.1.2.3/32"},
      {"10.255.255.255/13", "10.248.0.0/13"},
      {"255.255.255.255/31", "255.255.255.254/31"},
      {"2001:db8::1/64", "2001:db8::/64"},
      {"2001:db8::1", "2001:db8::1/128"},
      {"ffff::/1", "8000::/1"},
      {"fd12:3456:789a:bcde::1/50", "fd12:3456:789a:8000::/50"},
      {"::1/0", "::/0"},
      {"::3/127", "::2/127"}};
  for (const auto& [text, canonical] : cases) EXPECT_EQ(prefix(text).to_string(), canonical);
  EXPECT_EQ(Prefix::host(address("::1")), prefix("::1/128"));
}

TEST(Prefix, RefusesWhatIsMalformed) {
  for (const std::string_view text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/+1",
        "10.0.0.0/8 ", "10.0.0.0/8/8", "10.0.0/8", "::/129", "::/256", "::/x", "x/8"}) {
    EXPECT_FALSE(Prefix::parse(text).has_value()) << text;
    EXPECT_FALSE(InterfaceAddress::parse(text).has_value()) << text;
  }
}

TEST(Prefix, ContainsAndOverlaps) {
  EXPECT_TRUE(prefix("10.0.0.0/8").contains(address("10.255.0.1")));
  EXPECT_FALSE(prefix("10.0.0.0/8").contains(address("11.0.0.0")));
  EXPECT_TRUE(prefix("10.0.0.4/30").contains(address("10.0.0.7")));
  EXPECT_FALSE(prefix("10.0.0.4/30").contains(address("10.0.0.8")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(address("255.1.2.3")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(address("::")));
  EXPECT_FALSE(prefix("::/0").contains(address("1.2.3.4")));
  EXPECT_TRUE(prefix("2001:db8::/63").contains(address("2001:db8:0:1::1")));
  EXPECT_FALSE(prefix("2001:db8::/63").contains(address("2001:db8:0:2::1")));

  EXPECT_TRUE(prefix("10.0.0.0/8").overlaps(prefix("10.1.0.0/16")));
  EXPECT_TRUE(prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")));
  EXPECT_FALSE(prefix("10.1.0.0/16").overlaps(prefix("10.2.0.0/16")));
  EXPECT_FALSE(prefix("0.0.0.0/0").overlaps(prefix("::/0")));
}

TEST(InterfaceAddress, KeepsItsHostBits) {
  const auto own = InterfaceAddress::parse("100.64.7.1/16");
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(own->to_string(), "100.64.7.1/16");
  EXPECT_EQ(own->network(), prefix("100.64.0.0/16"));
  EXPECT_EQ(InterfaceAddress::parse("fd00::1")->to_string(), "fd00::1/128");
}

}  // namespace
}  // namespace trellis
