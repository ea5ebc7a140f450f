#include "node/netmap/map.h"

#include "node/netmap/map_test.h"

#include <gmock/gmock.h>

#include <functional>

namespace trellis::netmap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using wire::management::NetworkMap;
using wire::management::PeerConfig;
using wire::management::RemotePeerConfig;
using wire::management::TrellisUpdate;

TEST(ReadMap, TakesWhatOurServerSends) {
  const auto map = read(wire_map());
  ASSERT_TRUE(map) << map.error().message;
  EXPECT_EQ(map->serial, 1000u);
  EXPECT_EQ(map->name, "alice");
  EXPECT_EQ(map->domain, "trellis.internal");
  EXPECT_THAT(map->addresses, ElementsAre(*InterfaceAddress::parse("100.92.0.1/16"),
                                          *InterfaceAddress::parse("fd77:1:2:3::1/64")));
  EXPECT_THAT(map->rejected, IsEmpty());
  EXPECT_TRUE(map->rules_enforced);
  EXPECT_TRUE(map->takes_updates);
  ASSERT_EQ(names_of(*map), "h2 h3");
  const MapPeer& peer = map->peers[0];
  EXPECT_EQ(peer.wireguard_key, key_of(2));
  ASSERT_TRUE(peer.key_name);
  EXPECT_EQ(peer.key_name->suite, 1);
  EXPECT_EQ(peer.key_name->pid.bytes[31], std::byte{2});
  EXPECT_THAT(peer.addresses,
              ElementsAre(*Prefix::parse("100.92.0.2/32"), *Prefix::parse("fd77:1:2:3::2/128")));
  EXPECT_EQ(peer.version, "0.77.1+trellis");
}

TEST(ReadMap, SortsPeersByKeySoThatTheServersOrderDoesNotMatter) {
  NetworkMap backwards = wire_map(1);
  for (const int n : {5, 2, 4}) {
    *backwards.add_remote_peers() = wire_peer(static_cast<unsigned char>(n));
  }
  EXPECT_EQ(names_of(*read(backwards)), "h2 h4 h5");
}

TEST(ReadMap, NamesMindNoCaseAndNoDotAtTheEnd) {
  NetworkMap wire = wire_map(2);
  wire.mutable_peer_config()->set_fqdn("Alice.TRELLIS.internal.");
  wire.mutable_remote_peers(0)->set_fqdn("Bob.trellis.INTERNAL.");
  const auto map = read(wire);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->name + " " + map->domain, "alice trellis.internal");
  EXPECT_EQ(names_of(*map), "bob");
}

TEST(ReadMap, UsesThePeerConfigOfTheLoginIfTheMapHasNone) {
  NetworkMap wire = wire_map();
  const PeerConfig config = own_config();
  wire.clear_peer_config();
  EXPECT_FALSE(read(wire));
  MapContext context = context_of();
  context.peer_config = &config;
  const auto map = read_map(wire, context);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->name, "alice");
}

TEST(ReadMap, FailsAsAWholeOnlyWhereWeCannotBeInTheNetwork) {
  struct Case {
    const char* name;
    std::function<void(NetworkMap&, PeerConfig&)> change;
    const char* error;
  };
  const Case cases[] = {
      {"no address", [](auto&, auto& own) { own.clear_address(); }, "no valid address"},
      {"no length", [](auto&, auto& own) { own.set_address("100.92.0.1"); }, "no valid address"},
      {"default route", [](auto&, auto& own) { own.set_address("100.92.0.1/0"); }, "100.64.0.0/10"},
      {"whole internet", [](auto&, auto& own) { own.set_address("100.92.0.1/8"); },
       "100.64.0.0/10"},
      {"another network", [](auto&, auto& own) { own.set_address("10.0.0.1/16"); },
       "100.64.0.0/10"},
      {"loopback", [](auto&, auto& own) { own.set_address("127.0.0.1/8"); }, "100.64.0.0/10"},
      {"network itself", [](auto&, auto& own) { own.set_address("100.92.0.0/16"); }, "no machine"},
      {"broadcast", [](auto&, auto& own) { own.set_address("100.92.255.255/16"); }, "no machine"},
      {"v6 as v4", [](auto&, auto& own) { own.set_address("fd77::1/64"); }, "no address"},
      {"v6 cut short", [](auto&, auto& own) { own.set_address_v6(std::string(16, '\x01')); },
       "no valid IPv6"},
      {"v6 of the world",
       [](auto&, auto& own) { own.set_address_v6("\x20" + std::string(14, '\x01') + "\x01\x40"); },
       "fc00::/7"},
      {"v6 of all private networks",
       [](auto&, auto& own) { own.set_address_v6("\xfd" + std::string(15, '\x01') + "\x08"); },
       "fc00::/7"},
      {"v6 of 255 bits",
       [](auto&, auto& own) { own.set_address_v6("\xfd" + std::string(15, '\x01') + "\xff"); },
       "no valid IPv6"},
      {"no name", [](auto&, auto& own) { own.clear_fqdn(); }, "no valid name"},
      {"no domain", [](auto&, auto& own) { own.set_fqdn("alice"); }, "no valid name"},
      {"somebody's domain", [](auto&, auto& own) { own.set_fqdn("alice.example.org"); },
       "`trellisd --domain`"},
      {"a whole top level", [](auto&, auto& own) { own.set_fqdn("alice.com"); }, "only domains"},
      {"all of internal", [](auto&, auto& own) { own.set_fqdn("alice.internal"); }, "only domains"},
      {"something like it", [](auto&, auto& own) { own.set_fqdn("alice.notinternal"); },
       "only domains"},
      {"a name that no machine has", [](auto&, auto& own) { own.set_fqdn("a_b.trellis.internal"); },
       "no valid name"},
      {"terminal's magic", [](auto&, auto& own) { own.set_fqdn("\x1b[2J.trellis.internal"); },
       "\"?[2j.trellis.internal\""},
      {"no rules", [](auto& map, auto&) { map.clear_firewall_rules(); }, "no rules"},
      {"too many peers",
       [](auto& map, auto&) {
         for (std::size_t i = 0; i <= Map::kPeersMax; ++i) map.add_remote_peers();
       },
       "are allowed"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    NetworkMap wire = wire_map();
    c.change(wire, *wire.mutable_peer_config());
    const auto map = read(wire);
    ASSERT_FALSE(map);
    EXPECT_THAT(map.error().message, HasSubstr(c.error));
  }
}

TEST(ReadMap, AWrongEntryCostsThatEntryOnly) {
  struct Case {
    const char* name;
    std::function<void(RemotePeerConfig&)> change;
    const char* why;
  };
  const Case cases[] = {
      {"no key", [](auto& p) { p.clear_wg_key(); }, "no valid WireGuard key"},
      {"short key", [](auto& p) { p.set_wg_key("AAAA"); }, "no valid WireGuard key"},
      {"zero key", [](auto& p) { p.set_wg_key(to_base64(Bytes<32>{})); }, "left out"},
      {"our key", [](auto& p) { p.set_wg_key(to_base64(key_of(1).bytes)); }, "our own WireGuard"},
      {"another's key", [](auto& p) { p.set_wg_key(to_base64(key_of(2).bytes)); }, "another peer"},
      {"our name", [](auto& p) { p.set_fqdn("ALICE.trellis.internal"); }, "our own name"},
      {"another's name", [](auto& p) { p.set_fqdn("h2.trellis.internal"); }, "another peer"},
      {"other domain", [](auto& p) { p.set_fqdn("h9.example.org"); }, "no name of a machine"},
      {"the domain", [](auto& p) { p.set_fqdn("trellis.internal"); }, "no name of a machine"},
      {"two labels", [](auto& p) { p.set_fqdn("a.b.trellis.internal"); }, "no name of a machine"},
      {"no addresses", [](auto& p) { p.clear_allowed_ips(); }, "no address"},
      {"nine addresses",
       [](auto& p) {
         while (p.allowed_ips_size() < 9) p.add_allowed_ips("100.92.0.9/32");
       },
       "too many addresses"},
      {"name of a Rosenpass key cut short",
       [](auto& p) { p.set_trellis_key_name(std::string(32, '\x01')); }, "33 bytes"},
      {"unknown suite", [](auto& p) { p.set_trellis_key_name("\x07" + std::string(32, 'x')); },
       "suite 7"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    NetworkMap wire = wire_map(2);
    *wire.add_remote_peers() = wire_peer(9);
    c.change(*wire.mutable_remote_peers(1));
    *wire.add_remote_peers() = wire_peer(3);
    const auto map = read(wire);
    ASSERT_TRUE(map);
    EXPECT_EQ(names_of(*map), "h2 h3");
    ASSERT_THAT(map->rejected, Not(IsEmpty()));
    EXPECT_THAT(map->rejected.back(), HasSubstr(c.why));
    EXPECT_FALSE(map->takes_updates);
    EXPECT_TRUE(map->rules_enforced);
  }
}

TEST(ReadMap, AWrongAddressCostsThatAddressOnly) {
  const char* cases[] = {
      "0.0.0.0/0",         "::/0",
      "100.92.0.0/24",     "100.92.0.2/32",
      "100.92.0.1/32",     "100.93.0.9/32",
      "10.0.0.1/32",       "100.92.0.0/32",
      "nonsense",          "100.92.0.9/32",
      "100.92.255.255/32", "fd77::9/128",
      "100.92.0.77/16",    "",
      "fd77:1:2:3::/64",   "fd77:1:2:3::1/128",
      "127.0.0.1/32",      "fd77:1:2:3::2",
      "224.0.0.1/32",      "\x1b[31m",
      "fe80::1/128",       "192.0.2.1/32 ",
      "::ffff:1.2.3.4",
  };
  for (const char* address : cases) {
    SCOPED_TRACE(address);
    NetworkMap wire = wire_map(2);
    RemotePeerConfig& peer = *wire.add_remote_peers();
    peer = wire_peer(9);
    peer.add_allowed_ips(address);
    const auto map = read(wire);
    ASSERT_TRUE(map);
    ASSERT_EQ(names_of(*map), "h2 h9");
    EXPECT_THAT(map->peers[1].addresses,
                ElementsAre(*Prefix::parse("100.92.0.9/32"), *Prefix::parse("fd77:1:2:3::9/128")));
    ASSERT_THAT(map->rejected, SizeIs(1));
    EXPECT_THAT(map->rejected[0], HasSubstr("\"h9"));
    EXPECT_FALSE(map->takes_updates);
  }
}

TEST(ReadMap, OfTwoWithOneRosenpassKeyNoneIsInForce) {
  NetworkMap wire = wire_map(4);
  wire.mutable_remote_peers(0)->set_trellis_key_name(key_name_of(4));
  const auto map = read(wire);
  ASSERT_TRUE(map);
  EXPECT_EQ(names_of(*map), "h3");
  EXPECT_THAT(map->rejected, ElementsAre(HasSubstr("\"h2\""), HasSubstr("\"h4\"")));
  EXPECT_FALSE(map->takes_updates);
}

TEST(ReadMap, AStockPeerHasNoRosenpassKeyAndMayHaveNoName) {
  NetworkMap wire = wire_map(2);
  wire.mutable_remote_peers(0)->clear_trellis_key_name();
  wire.mutable_remote_peers(0)->clear_fqdn();
  wire.mutable_remote_peers(0)->set_agent_version("0.77.1\n");
  const auto map = read(wire);
  ASSERT_TRUE(map);
  ASSERT_EQ(names_of(*map), "100-92-0-2");
  EXPECT_FALSE(map->peers[0].key_name);
  EXPECT_EQ(map->peers[0].version, "");
  EXPECT_TRUE(map->takes_updates);
}

TEST(ReadMap, TellsAtMostSoManyLines) {
  NetworkMap wire = wire_map(2);
  for (int i = 0; i < 500; ++i) wire.add_remote_peers()->set_fqdn(std::string(1000, '\x07'));
  const auto map = read(wire);
  ASSERT_TRUE(map);
  EXPECT_EQ(names_of(*map), "h2");
  ASSERT_THAT(map->rejected, SizeIs(Map::kRejectedMax));
  EXPECT_EQ(map->rejected.back(), "and 469 more");
  EXPECT_LT(map->rejected[0].size(), 200u);
}

TEST(ReadMap, SaysWhatItDoesNotCarryOut) {
  NetworkMap wire = wire_map(2);
  wire.add_routes();
  wire.add_routes();
  wire.mutable_dns()->add_groups();
  wire.add_forwarding_rules();
  const auto map = read(wire);
  ASSERT_TRUE(map);
  EXPECT_EQ(names_of(*map), "h2");
  EXPECT_THAT(map->rejected, ElementsAre(HasSubstr("2 routes"), HasSubstr("1 forwarded"),
                                         HasSubstr("1 groups of name servers")));
  EXPECT_TRUE(map->takes_updates);
}

TrellisUpdate update_of(std::uint64_t base, std::uint64_t serial) {
  TrellisUpdate update;
  update.set_base_serial(base);
  update.set_serial(serial);
  return update;
}

TEST(ApplyUpdate, GivesTheMapThatTheServerWouldSendWhole) {
  const Map before = *read(wire_map(4));
  TrellisUpdate update = update_of(1000, 1007);
  *update.add_changed() = wire_peer(9);
  *update.add_changed() = wire_peer(3);
  update.mutable_changed(1)->set_fqdn("carol.trellis.internal");
  update.add_removed(to_base64(key_of(2).bytes));
  const auto after = apply_update(before, update, key_of(1));
  ASSERT_TRUE(after) << after.error().message;

  NetworkMap whole = wire_map(4);
  whole.set_serial(1007);
  *whole.mutable_remote_peers(0) = wire_peer(9);
  whole.mutable_remote_peers(1)->set_fqdn("carol.trellis.internal");
  EXPECT_EQ(*after, *read(whole));
}

TEST(ApplyUpdate, NamesAndAddressesMayChangeHandsInOneUpdate) {
  const Map before = *read(wire_map(3));
  TrellisUpdate update = update_of(1000, 1001);
  *update.add_changed() = wire_peer(2);
  *update.add_changed() = wire_peer(3);
  update.mutable_changed(0)->set_fqdn("h3.trellis.internal");
  update.mutable_changed(1)->set_fqdn("h2.trellis.internal");
  update.mutable_changed(0)->mutable_allowed_ips()->SwapElements(0, 1);
  const auto after = apply_update(before, update, key_of(1));
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(names_of(*after), "h3 h2");
}

TEST(ApplyUpdate, ARemovedPeerThatWasNotThereIsNoError) {
  TrellisUpdate update = update_of(1000, 1001);
  update.add_removed(to_base64(key_of(77).bytes));
  const auto after = apply_update(*read(wire_map(3)), update, key_of(1));
  ASSERT_TRUE(after);
  EXPECT_EQ(names_of(*after), "h2 h3");
  EXPECT_EQ(after->serial, 1001u);
}

TEST(ApplyUpdate, AnyDoubtIsAFailure) {
  struct Case {
    const char* name;
    std::function<void(TrellisUpdate&)> change;
    const char* error;
  };
  const Case cases[] = {
      {"older base", [](auto& u) { u.set_base_serial(999); }, "does not fit"},
      {"newer base", [](auto& u) { u.set_base_serial(1001); }, "does not fit"},
      {"same serial", [](auto& u) { u.set_serial(1000); }, "does not fit"},
      {"older serial", [](auto& u) { u.set_serial(3); }, "does not fit"},
      {"no key", [](auto& u) { u.mutable_changed(0)->clear_wg_key(); }, "without a key"},
      {"twice", [](auto& u) { *u.add_changed() = wire_peer(9); }, "two with one key"},
      {"removed and changed", [](auto& u) { u.add_removed(to_base64(key_of(9).bytes)); },
       "also changes"},
      {"removes nonsense", [](auto& u) { u.add_removed("bob"); }, "no key"},
      {"name of another", [](auto& u) { u.mutable_changed(0)->set_fqdn("h2.trellis.internal"); },
       "another peer has its name"},
      {"address of another",
       [](auto& u) { u.mutable_changed(0)->set_allowed_ips(0, "100.92.0.2"); },
       "another peer has it"},
      {"one address that is wrong", [](auto& u) { u.mutable_changed(0)->add_allowed_ips("::/0"); },
       "left out"},
      {"Rosenpass key of another",
       [](auto& u) { u.mutable_changed(0)->set_trellis_key_name(key_name_of(3)); },
       "two peers one Rosenpass key"},
      {"our own", [](auto& u) { u.mutable_changed(0)->set_wg_key(to_base64(key_of(1).bytes)); },
       "our own"},
  };
  const Map before = *read(wire_map(3));
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    TrellisUpdate update = update_of(1000, 1001);
    *update.add_changed() = wire_peer(9);
    ASSERT_TRUE(apply_update(before, update, key_of(1)));
    c.change(update);
    const auto after = apply_update(before, update, key_of(1));
    ASSERT_FALSE(after);
    EXPECT_THAT(after.error().message, HasSubstr(c.error));
  }
}

TEST(ApplyUpdate, AMapWithSomethingLeftOutWantsAWholeOneInstead) {
  NetworkMap wire = wire_map(3);
  wire.mutable_remote_peers(0)->clear_wg_key();
  const Map before = *read(wire);
  const auto after = apply_update(before, update_of(1000, 1001), key_of(1));
  ASSERT_FALSE(after);
  EXPECT_THAT(after.error().message, HasSubstr("takes no updates"));
}

TEST(ApplyUpdate, NeverGrowsBeyondTheBound) {
  Map full = *read(wire_map(2));
  while (full.peers.size() < Map::kPeersMax) full.peers.push_back(full.peers.front());
  TrellisUpdate update = update_of(1000, 1001);
  *update.add_changed() = wire_peer(9);
  const auto after = apply_update(full, update, key_of(1));
  ASSERT_FALSE(after);
  EXPECT_THAT(after.error().message, HasSubstr("too long"));
}

TEST(Map, MayHaveTheDomainThatIsAllowed) {
  wire::management::NetworkMap wire = wire_map(2);
  wire.mutable_peer_config()->set_fqdn("alice.vpn.example.org");
  wire.mutable_remote_peers(0)->set_fqdn("h2.vpn.example.org");
  MapContext context = context_of();
  EXPECT_FALSE(read_map(wire, context));
  context.allowed_domain = "example.org";
  EXPECT_FALSE(read_map(wire, context)) << "that one, not what is under it";
  context.allowed_domain = "vpn.example.org";
  const auto map = read_map(wire, context);
  ASSERT_TRUE(map);
  EXPECT_EQ(names_of(*map), "h2");
  EXPECT_TRUE(read_map(wire_map(2), context)) << "a usual one, too";
}

}  // namespace
}  // namespace trellis::netmap
