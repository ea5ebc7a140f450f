#pragma once

#include "base/host_label.h"
#include "base/result.h"
#include "node/netmap/map.h"

#include <algorithm>
#include <set>

namespace trellis::fuzz {

inline crypto::PublicKey own_key() {
  crypto::PublicKey key;
  key.bytes.fill(std::byte{1});
  return key;
}

/// What the rest of the agent relies on, whoever wrote the map.
inline void check_peer(const netmap::MapPeer& peer, const netmap::Map& map) {
  CHECK(is_host_label(peer.name) && peer.name == ascii_lower(peer.name) && peer.name != map.name);
  CHECK(peer.wireguard_key != own_key() && peer.wireguard_key != crypto::PublicKey{});
  CHECK(!peer.key_name || peer.key_name->suite == 1);
  CHECK(!peer.addresses.empty());
  for (const Prefix& prefix : peer.addresses) {
    const IpAddress& address = prefix.address();
    CHECK(prefix == Prefix::host(address));
    CHECK(std::ranges::any_of(map.addresses, [&](const InterfaceAddress& own) {
      return own.network().contains(address);
    }));
    CHECK(std::ranges::none_of(
        map.addresses, [&](const InterfaceAddress& own) { return own.address == address; }));
  }
}

inline void check_map(const netmap::Map& map) {
  CHECK(is_host_label(map.name) && is_host_name(map.domain));
  CHECK(map.addresses.size() == 1 || map.addresses.size() == 2);
  CHECK(Prefix::parse("100.64.0.0/10")->contains(map.addresses[0].address));
  CHECK(map.addresses[0].length >= 10);
  if (map.addresses.size() == 2) {
    CHECK(Prefix::parse("fc00::/7")->contains(map.addresses[1].address));
  }
  std::set<std::string> names;
  std::set<crypto::PublicKey> keys;
  std::set<pair::KeyName> key_names;
  std::set<Prefix> addresses;
  for (const netmap::MapPeer& peer : map.peers) {
    check_peer(peer, map);
    CHECK(names.insert(peer.name).second && keys.insert(peer.wireguard_key).second);
    CHECK(!peer.key_name || key_names.insert(*peer.key_name).second);
    for (const Prefix& address : peer.addresses) CHECK(addresses.insert(address).second);
  }
  CHECK(std::ranges::is_sorted(map.peers, {}, &netmap::MapPeer::wireguard_key));
  CHECK(map.peers.size() <= netmap::Map::kPeersMax);
  CHECK(map.rejected.size() <= netmap::Map::kRejectedMax);
  for (const std::string& line : map.rejected) {
    CHECK(!line.empty() && line.size() < 512);
    CHECK(std::ranges::all_of(line, [](char c) { return c >= 0x20 && c < 0x7f; }));
  }

  // What is kept on disk is the same afterwards.
  const auto again = netmap::parse_map(netmap::format_map(map), own_key());
  CHECK(again && *again == map);
}

inline void check_reason(const Error& error) {
  CHECK(!error.message.empty() && error.message.size() < 1024);
  CHECK(std::ranges::all_of(error.message, [](char c) { return c >= 0x20 && c < 0x7f; }));
}

}  // namespace trellis::fuzz
