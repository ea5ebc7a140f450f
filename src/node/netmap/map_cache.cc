// The form of a map on disk.

#include "base/hex.h"
#include "base/host_label.h"
#include "crypto/kem.h"
#include "node/netmap/map.h"
#include "node/netmap/map_peers.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace trellis::netmap {
namespace {

using nlohmann::json;

constexpr std::size_t kTextBytesMax = 16 << 20;
constexpr std::size_t kLineBytesMax = 1024;
constexpr std::size_t kVersionBytesMax = 64;

/// The value of a key, if it has this type.
template <class T>
Result<T> member(const json& object, const char* key, bool (json::*has_type)() const noexcept) {
  const auto it = object.find(key);
  if (it == object.end() || !((*it).*has_type)()) {
    return fail_with(std::string("lacks a valid ") + key);
  }
  return it->get<T>();
}

Result<std::string> text(const json& object, const char* key) {
  return member<std::string>(object, key, &json::is_string);
}

Result<const json*> list(const json& object, const char* key, std::size_t count_max) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_array() || it->size() > count_max) {
    return fail_with(std::string("lacks a valid ") + key);
  }
  return &*it;
}

/// Exactly these keys; `optional` may be absent.
bool has_only(const json& object, std::initializer_list<std::string_view> keys) {
  return std::ranges::all_of(object.items(), [&](const auto& item) {
    return std::ranges::find(keys, item.key()) != keys.end();
  });
}

Result<MapPeer> parse_peer(const json& entry) {
  if (!entry.is_object() ||
      !has_only(entry, {"name", "wireguard_key", "rosenpass_key", "addresses", "version"})) {
    return fail_with("has a peer that is not one");
  }
  MapPeer peer;
  peer.name = TRY(text(entry, "name"));
  if (peer.name != ascii_lower(peer.name)) return fail_with("has a name that is not lower case");
  const auto key = array_from_base64<32>(TRY(text(entry, "wireguard_key")));
  if (!key) return fail_with("has a peer without a valid wireguard_key");
  peer.wireguard_key.bytes = *key;
  if (entry.contains("rosenpass_key")) {
    peer.key_name = pair::KeyName::parse(TRY(text(entry, "rosenpass_key")));
    if (!peer.key_name || crypto::find_suite(peer.key_name->suite) == nullptr) {
      return fail_with("has a peer without a valid rosenpass_key");
    }
  }
  for (const json& address : *TRY(list(entry, "addresses", 8))) {
    const auto parsed = address.is_string() ? IpAddress::parse(address.get<std::string>())
                                            : std::optional<IpAddress>();
    if (!parsed) return fail_with("has a peer with an invalid address");
    peer.addresses.push_back(Prefix::host(*parsed));
  }
  peer.version = TRY(text(entry, "version"));
  if (peer.version.size() > kVersionBytesMax) return fail_with("has a version that is none");
  return peer;
}

Result<> parse_own(const json& document, Map& map) {
  map.serial = TRY(member<std::uint64_t>(document, "serial", &json::is_number_unsigned));
  map.name = TRY(text(document, "name"));
  map.domain = TRY(text(document, "domain"));
  for (const json& address : *TRY(list(document, "addresses", 2))) {
    const auto parsed = address.is_string() ? InterfaceAddress::parse(address.get<std::string>())
                                            : std::optional<InterfaceAddress>();
    if (!parsed) return fail_with("has an invalid address");
    map.addresses.push_back(*parsed);
  }
  map.rules_enforced = TRY(member<bool>(document, "rules_enforced", &json::is_boolean));
  map.takes_updates = TRY(member<bool>(document, "takes_updates", &json::is_boolean));
  for (const json& line : *TRY(list(document, "rejected", Map::kRejectedMax))) {
    if (!line.is_string()) return fail_with("has a line that is no text");
    std::string value = line.get<std::string>();
    const bool shows = std::ranges::all_of(value, [](char c) { return c >= 0x20 && c < 0x7f; });
    if (!shows || value.size() > kLineBytesMax) return fail_with("has a line that is no text");
    map.rejected.push_back(std::move(value));
  }
  if (map.name != ascii_lower(map.name) || map.domain != ascii_lower(map.domain)) {
    return fail_with("has a name that is not lower case");
  }
  return check_own(map);
}

Result<> check_version(const json& document) {
  if (!document.is_object()) return fail_with("is not a JSON object: it is damaged or cut short");
  const auto version = document.find("version");
  if (version == document.end() || !version->is_number_integer()) {
    return fail_with("has no version");
  }
  if (*version != Map::kVersion) return fail_with("is of the unknown format " + version->dump());
  return {};
}

}  // namespace

std::string format_map(const Map& map) {
  json addresses = json::array();
  for (const InterfaceAddress& address : map.addresses) addresses.push_back(address.to_string());
  json peers = json::array();
  for (const MapPeer& peer : map.peers) {
    json entry = {{"name", peer.name},
                  {"wireguard_key", to_base64(peer.wireguard_key.bytes)},
                  {"addresses", json::array()},
                  {"version", peer.version}};
    if (peer.key_name) entry["rosenpass_key"] = peer.key_name->to_string();
    for (const Prefix& address : peer.addresses) {
      entry["addresses"].push_back(address.address().to_string());
    }
    peers.push_back(std::move(entry));
  }
  const json document = {{"version", Map::kVersion},
                         {"serial", map.serial},
                         {"name", map.name},
                         {"domain", map.domain},
                         {"addresses", std::move(addresses)},
                         {"rules_enforced", map.rules_enforced},
                         {"takes_updates", map.takes_updates},
                         {"rejected", map.rejected},
                         {"peers", std::move(peers)}};
  return document.dump(1) + "\n";
}

Result<Map> parse_map(std::string_view source, const crypto::PublicKey& own_key) {
  if (source.size() > kTextBytesMax) return fail_with("is too long");
  const json document = json::parse(source, nullptr, /*allow_exceptions=*/false);
  TRY(check_version(document));
  if (!has_only(document, {"version", "serial", "name", "domain", "addresses", "rules_enforced",
                           "takes_updates", "rejected", "peers"})) {
    return fail_with("has keys that this version does not know");
  }
  Map map;
  TRY(parse_own(document, map));
  PeerChecks checks(map, own_key);
  std::vector<std::string> left_out;
  for (const json& entry : *TRY(list(document, "peers", Map::kPeersMax))) {
    MapPeer peer = TRY(parse_peer(entry));
    TRY(checks.admit(peer, left_out));
    if (!left_out.empty()) return fail_with(left_out.front());
    map.peers.push_back(std::move(peer));
  }
  if (!twins(map.peers).empty()) return fail_with("gives two peers one Rosenpass key");
  std::ranges::sort(map.peers, {}, &MapPeer::wireguard_key);
  return map;
}

}  // namespace trellis::netmap
