#include "node/netmap/map_rules.h"

#include "node/netmap/map_test.h"

#include <gmock/gmock.h>

#include <functional>

namespace trellis::netmap {
namespace {

using testing::Contains;
using testing::HasSubstr;
using wire::management::FirewallRule;
using wire::management::NetworkMap;

/// Everything from these, both ways, as a stock server says it. [netbird-wire 2.8]
NetworkMap map_with_rules_of(std::initializer_list<const char*> addresses) {
  NetworkMap wire = wire_map(3);
  wire.clear_firewall_rules();
  for (const char* address : addresses) {
    *wire.add_firewall_rules() = rule(address);
    *wire.add_firewall_rules() = rule(address, FirewallRule::OUT);
  }
  return wire;
}

TEST(Rules, NoneMeansEverythingFromAStockServerAndIsAnErrorFromOurs) {
  NetworkMap wire = map_with_rules_of({});
  EXPECT_FALSE(read(wire, MapSource::Trellis));
  const auto legacy = read(wire, MapSource::Stock);
  ASSERT_TRUE(legacy);
  EXPECT_EQ(names_of(*legacy), "h2 h3");
  EXPECT_TRUE(legacy->rules_enforced);

  wire.set_firewall_rules_is_empty(true);
  for (const MapSource source : {MapSource::Trellis, MapSource::Stock}) {
    const auto nothing = read(wire, source);
    ASSERT_TRUE(nothing);
    EXPECT_EQ(names_of(*nothing), "");
    EXPECT_TRUE(nothing->rules_enforced);  // nothing is allowed, and nothing passes
    EXPECT_THAT(nothing->rejected, Contains(HasSubstr("no rule lets its packets in")));
  }
}

TEST(Rules, OfASinglePeerHoldForThatPeer) {
  const auto map = read(map_with_rules_of({"100.92.0.2", "fd77:1:2:3::2"}), MapSource::Stock);
  ASSERT_TRUE(map);
  EXPECT_EQ(names_of(*map), "h2");
  EXPECT_EQ(map->peers[0].addresses.size(), 2u);
  EXPECT_TRUE(map->rules_enforced);
  EXPECT_FALSE(map->takes_updates);  // they say nothing about a newcomer
}

TEST(Rules, AnAddressWithoutOneIsLeftOut) {
  const auto map = read(map_with_rules_of({"100.92.0.2", "100.92.0.3"}), MapSource::Stock);
  ASSERT_TRUE(map);
  ASSERT_EQ(names_of(*map), "h2 h3");
  EXPECT_THAT(map->peers[0].addresses, testing::ElementsAre(*Prefix::parse("100.92.0.2/32")));
  EXPECT_THAT(map->rejected, Contains(HasSubstr("fd77:1:2:3::2/128")));
  EXPECT_FALSE(map->takes_updates);
}

TEST(Rules, SourcePrefixesComeBeforeThePeersAddress) {
  NetworkMap wire = map_with_rules_of({});
  FirewallRule& in = *wire.add_firewall_rules();
  in = rule("100.92.0.3");
  in.add_source_prefixes(control::to_field(IpAddress::parse("100.92.0.2")->bytes()) + '\x20');
  in.add_source_prefixes(control::to_field(IpAddress::parse("100.92.0.3")->bytes()) + '\x20');
  const auto map = read(wire);
  ASSERT_TRUE(map);
  EXPECT_EQ(names_of(*map), "h2");  // stock clients read the first one only
}

TEST(Rules, APrefixCoversItsAddresses) {
  NetworkMap wire = map_with_rules_of({});
  FirewallRule& in = *wire.add_firewall_rules();
  in = rule("");
  in.add_source_prefixes(control::to_field(IpAddress::parse("100.92.0.2")->bytes()) + '\x1f');
  EXPECT_EQ(names_of(*read(wire)), "h2 h3");
  in.set_source_prefixes(0, control::to_field(IpAddress::parse("100.92.0.2")->bytes()) + '\x20');
  EXPECT_EQ(names_of(*read(wire)), "h2");
}

TEST(Rules, WhatLetsInLessThanEverythingCostsThePeer) {
  struct Case {
    const char* name;
    std::function<void(FirewallRule&)> change;
  };
  const Case cases[] = {
      {"a port", [](auto& r) { r.set_port("443"); }},
      {"a range", [](auto& r) { r.mutable_port_info()->mutable_range()->set_end(9); }},
      {"TCP", [](auto& r) { r.set_protocol(wire::management::TCP); }},
      {"unknown protocol", [](auto& r) { r.set_protocol(wire::management::UNKNOWN); }},
      {"a protocol of the future",
       [](auto& r) { r.set_protocol(static_cast<wire::management::Protocol>(99)); }},
      {"outwards", [](auto& r) { r.set_direction(FirewallRule::OUT); }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    NetworkMap wire = map_with_rules_of({"100.92.0.3", "fd77:1:2:3::3"});
    FirewallRule& narrow = *wire.add_firewall_rules();
    narrow = rule("100.92.0.2");
    c.change(narrow);
    const auto map = read(wire, MapSource::Stock);
    ASSERT_TRUE(map);
    EXPECT_EQ(names_of(*map), "h3");
    EXPECT_FALSE(map->rules_enforced);
    EXPECT_THAT(map->rejected, Contains(HasSubstr("only a part of its traffic")));

    // Beside a rule that lets everything in it takes nothing away.
    *wire.add_firewall_rules() = rule("0.0.0.0");
    EXPECT_EQ(names_of(*read(wire)), "h2 h3");
    EXPECT_TRUE(read(wire)->rules_enforced);
  }
}

TEST(Rules, OneThatDropsCostsThePeerWhateverElseIsAllowed) {
  for (const auto direction : {FirewallRule::IN, FirewallRule::OUT}) {
    NetworkMap wire = wire_map(3);
    FirewallRule& drop = *wire.add_firewall_rules();
    drop = rule("100.92.0.2", direction);
    drop.set_action(wire::management::DROP);
    drop.set_protocol(wire::management::UDP);
    const auto map = read(wire);
    ASSERT_TRUE(map);
    EXPECT_EQ(names_of(*map), "h3");
    EXPECT_FALSE(map->rules_enforced);
    EXPECT_FALSE(map->takes_updates);
  }
}

TEST(Rules, AProhibitionThatIsNotUnderstoodHoldsForEverybody) {
  const std::function<void(FirewallRule&)> cases[] = {
      [](FirewallRule& r) { r.set_peer_ip("a host"); },
      [](FirewallRule& r) { r.set_peer_ip(""); },
      [](FirewallRule& r) { r.add_source_prefixes("\x01"); },
      [](FirewallRule& r) { r.add_source_prefixes(std::string(4, '\x01') + "\x21"); },
      [](FirewallRule& r) {
        r.set_action(static_cast<wire::management::Action>(7));
        r.set_peer_ip("?");
      },
  };
  for (const auto& change : cases) {
    NetworkMap wire = wire_map(3);
    FirewallRule& drop = *wire.add_firewall_rules();
    drop = rule("100.92.77.77");
    drop.set_action(wire::management::DROP);
    ASSERT_EQ(names_of(*read(wire)), "h2 h3");
    change(drop);
    EXPECT_EQ(names_of(*read(wire)), "");
  }
}

TEST(Rules, APermissionThatIsNotUnderstoodHoldsForNobody) {
  for (const char* address : {"a host", "", "100.92.0.2/32", "*"}) {
    EXPECT_EQ(names_of(*read(map_with_rules_of({address}))), "") << address;
  }
}

TEST(Rules, MorePrefixesThanAreToldApartErrOnTheSafeSide) {
  NetworkMap wire = wire_map(3);
  for (int i = 0; i < 200; ++i) {
    FirewallRule& drop = *wire.add_firewall_rules();
    drop = rule("");
    drop.clear_peer_ip();
    drop.set_action(wire::management::DROP);
    drop.add_source_prefixes(std::string("\x64\x5d") + static_cast<char>(i) + std::string(1, '\0') +
                             '\x18');
    EXPECT_EQ(names_of(*read(wire)), i < 64 ? "h2 h3" : "") << i;
  }
}

}  // namespace
}  // namespace trellis::netmap
