// Maps that stock NetBird servers sent, or that stock clients took.

#include "node/netmap/map_test.h"
#include "testing/vector_json.h"

#include <gmock/gmock.h>

namespace trellis::netmap {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;
using wire::management::NetworkMap;
using wire::management::SyncResponse;

SyncResponse message(const std::string& name) {
  const auto file = testing::read_vector_json("netbird/management.json");
  for (const auto& entry : file["messages"]) {
    if (entry["name"] != name) continue;
    return control::parse_message<SyncResponse>(testing::hex_of(entry["plain"]),
                                                control::kMapLimits)
        .value();
  }
  ADD_FAILURE() << "there is no " << name;
  return {};
}

std::vector<std::string> peers_of(const Map& map) {
  std::vector<std::string> names;
  for (const MapPeer& peer : map.peers) names.push_back(peer.name);
  return names;
}

Map read_recorded(const std::string& name) {
  const SyncResponse sync = message(name);
  MapContext context = context_of(MapSource::Stock);
  context.peer_config = &sync.peer_config();
  const auto& own =
      sync.network_map().has_peer_config() ? sync.network_map().peer_config() : sync.peer_config();
  const std::string domain = own.fqdn().substr(own.fqdn().find('.') + 1);
  context.allowed_domain = domain;
  const auto map = read_map(sync.network_map(), context);
  EXPECT_TRUE(map) << name << ": " << map.error().message;
  return map.value_or(Map());
}

TEST(NetbirdMap, PutsTheRightPeersInForce) {
  struct Case {
    const char* name;
    std::vector<std::string> peers;
    bool rules_enforced;
  };
  const Case cases[] = {
      {"sync_first_alone", {}, true},
      {"sync_push_new_peer", {"b"}, true},
      {"sync_first_with_peer", {"a"}, true},
      {"sync_unknown_fields", {"b"}, true},
      {"sync_peer_removed", {}, true},
      {"sync_no_rules_allow", {"a"}, true},
      {"sync_no_rules_deny", {}, true},
      {"sync_dns", {"b"}, true},
      {"stock_sync_first", {"a", "b"}, true},
      // A rule drops a part of what comes from b.
      {"stock_sync_update", {"a"}, false},
      {"stock_sync_full", {"a", "plain"}, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Map map = read_recorded(c.name);
    EXPECT_THAT(peers_of(map), UnorderedElementsAreArray(c.peers));
    EXPECT_EQ(map.rules_enforced, c.rules_enforced);
    for (const MapPeer& peer : map.peers) EXPECT_FALSE(peer.key_name);
  }
}

TEST(NetbirdMap, HasNamesAddressesAndVersions) {
  const Map map = read_recorded("stock_sync_first");
  EXPECT_EQ(map.serial, 6u);
  EXPECT_EQ(map.name + " " + map.domain, "plain netbird.selfhosted");
  ASSERT_EQ(map.addresses.size(), 1u);
  EXPECT_EQ(map.addresses[0].to_string(), "100.67.41.97/16");
  for (const MapPeer& peer : map.peers) EXPECT_EQ(peer.version, "0.77.1");
  const Map v6 = read_recorded("sync_ipv6");
  ASSERT_EQ(v6.addresses.size(), 2u);
  EXPECT_EQ(v6.addresses[1].to_string(), "fd77::1/64");
  ASSERT_EQ(v6.peers.size(), 1u);
  EXPECT_EQ(v6.peers[0].addresses.size(), 2u);
}

TEST(NetbirdMap, OfADeletedPeerDoesNotSayWhoItIs) {
  const SyncResponse sync = message("stock_sync_removed_itself");
  EXPECT_FALSE(read_map(sync.network_map(), context_of(MapSource::Stock)));
  const auto config = own_config();
  MapContext context = context_of(MapSource::Stock);
  context.allowed_domain = "netbird.selfhosted";
  context.peer_config = &config;
  const auto map = read_map(sync.network_map(), context);
  ASSERT_TRUE(map);
  EXPECT_TRUE(map->peers.empty());
}

TEST(NetbirdMap, TellsOfRoutesThatItDoesNotUse) {
  EXPECT_THAT(read_recorded("stock_sync_full").rejected, Contains(HasSubstr("routes")));
  EXPECT_THAT(read_recorded("sync_dns").rejected,
              UnorderedElementsAre("1 groups of name servers: this version does not use them"));
}

}  // namespace
}  // namespace trellis::netmap
