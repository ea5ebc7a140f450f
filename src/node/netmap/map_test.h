#pragma once

#include "base/hex.h"
#include "node/netmap/map.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/message.h"

#include <string>
#include <string_view>

namespace trellis::netmap {

inline crypto::PublicKey key_of(unsigned char seed) {
  crypto::PublicKey key;
  key.bytes.fill(std::byte{seed});
  return key;
}

/// Of the wire: suite 1 and a peer id of this byte.
inline std::string key_name_of(unsigned char seed) {
  return "\x01" + std::string(32, static_cast<char>(seed));
}

inline wire::management::PeerConfig own_config() {
  wire::management::PeerConfig config;
  config.set_address("100.92.0.1/16");
  config.set_fqdn("alice.trellis.internal");
  Bytes<16> v6 = to_array<16>(IpAddress::parse("fd77:1:2:3::1")->bytes());
  config.set_address_v6(control::to_field(v6) + '\x40');
  return config;
}

/// Number `n` of a network: "hN", key N, 100.92.0.N, fd77:1:2:3::N.
inline wire::management::RemotePeerConfig wire_peer(unsigned char n) {
  wire::management::RemotePeerConfig peer;
  const std::string number = std::to_string(n);
  peer.set_wg_key(to_base64(key_of(n).bytes));
  peer.add_allowed_ips("100.92.0." + number + "/32");
  peer.add_allowed_ips("fd77:1:2:3::" + to_hex(Bytes<1>{std::byte{n}}) + "/128");
  peer.set_fqdn("h" + number + ".trellis.internal");
  peer.set_agent_version("0.77.1+trellis");
  peer.set_trellis_key_name(key_name_of(n));
  return peer;
}

inline wire::management::FirewallRule rule(
    std::string_view peer_ip,
    wire::management::FirewallRule::Direction direction = wire::management::FirewallRule::IN) {
  wire::management::FirewallRule result;
  result.set_peer_ip(std::string(peer_ip));
  result.set_direction(direction);
  result.set_protocol(wire::management::ALL);
  return result;
}

/// Alice's, as our server makes it: peers 2 to `last`, everything allowed both ways.
inline wire::management::NetworkMap wire_map(unsigned char last = 3) {
  wire::management::NetworkMap map;
  map.set_serial(1000);
  *map.mutable_peer_config() = own_config();
  for (unsigned char n = 2; n <= last; ++n) *map.add_remote_peers() = wire_peer(n);
  *map.add_firewall_rules() = rule("0.0.0.0");
  *map.add_firewall_rules() = rule("0.0.0.0", wire::management::FirewallRule::OUT);
  map.set_route_firewall_rules_is_empty(true);
  return map;
}

inline MapContext context_of(MapSource source = MapSource::Trellis) {
  return {.own_key = key_of(1), .source = source, .peer_config = nullptr, .allowed_domain = {}};
}

inline Result<Map> read(const wire::management::NetworkMap& map,
                        MapSource source = MapSource::Trellis) {
  return read_map(map, context_of(source));
}

/// "h2 h3": who is in force.
inline std::string names_of(const Map& map) {
  std::string names;
  for (const MapPeer& peer : map.peers) names += (names.empty() ? "" : " ") + peer.name;
  return names;
}

}  // namespace trellis::netmap
