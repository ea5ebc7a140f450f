#include "node/netmap/map.h"

#include "base/host_label.h"
#include "crypto/kem.h"
#include "node/netmap/map_peers.h"
#include "node/netmap/map_rules.h"
#include "protocol/control/key_text.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <unordered_set>

namespace trellis::netmap {
namespace {

using wire::management::NetworkMap;
using wire::management::PeerConfig;
using wire::management::RemotePeerConfig;
using wire::management::TrellisUpdate;

constexpr int kPeerAddressesMax = 8;
constexpr std::size_t kVersionBytesMax = 64;

/// What is left out, in so many lines as people may read.
class Rejections {
 public:
  void add(std::string line) {
    ++total_;
    if (lines_.size() < Map::kRejectedMax) lines_.push_back(std::move(line));
  }
  bool empty() const { return total_ == 0; }
  std::vector<std::string> take() && {
    if (total_ > Map::kRejectedMax) {
      lines_.back() = fmt::format("and {} more", total_ - Map::kRejectedMax + 1);
    }
    return std::move(lines_);
  }

 private:
  std::vector<std::string> lines_;
  std::size_t total_ = 0;
};

/// "alice" of "alice.trellis.internal."
std::string read_name(std::string_view fqdn, std::string_view domain) {
  std::string name = ascii_lower(fqdn);
  if (name.ends_with('.')) name.pop_back();
  const std::string suffix = "." + std::string(domain);
  if (!name.ends_with(suffix)) return {};
  name.resize(name.size() - suffix.size());
  return name;
}

Result<std::optional<pair::KeyName>> read_key_name(const std::string& field) {
  if (field.empty()) return std::nullopt;
  const auto bytes = control::read_key_name(field);
  if (!bytes) return fail_with("the name of its Rosenpass key has not 33 bytes");
  pair::KeyName name;
  name.suite = std::to_integer<std::uint8_t>(bytes->front());
  name.pid.bytes = to_array<32>(ByteView(*bytes).subspan(1));
  if (crypto::find_suite(name.suite) == nullptr) {
    return fail_with(
        fmt::format("its Rosenpass key is of suite {}, which this version does not "
                    "know: update trellis here",
                    name.suite));
  }
  return name;
}

/// The addresses that can be read; of the others `left_out` tells.
std::vector<Prefix> read_addresses(const RemotePeerConfig& entry, const std::string& name,
                                   std::vector<std::string>& left_out) {
  std::vector<Prefix> result;
  for (const std::string& text : entry.allowed_ips()) {
    const auto written = InterfaceAddress::parse(text);
    const auto prefix = Prefix::parse(text);
    if (prefix && written->address == prefix->address()) {
      result.push_back(*prefix);
    } else {
      left_out.push_back(fmt::format("address {} of peer {} is left out: it cannot be read",
                                     quoted(text), quoted(name)));
    }
  }
  return result;
}

/// A claim for people to read.
std::string read_version(const std::string& text) {
  const bool fine = text.size() <= kVersionBytesMax &&
                    std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
  return fine ? text : std::string();
}

/// What stock servers may leave out: the name is then made of the address.
std::string name_of(const RemotePeerConfig& entry, const std::vector<Prefix>& addresses,
                    std::string_view domain) {
  if (!entry.fqdn().empty() || addresses.empty()) return read_name(entry.fqdn(), domain);
  std::string name = addresses.front().address().to_string();
  std::ranges::replace_if(name, [](char c) { return c == '.' || c == ':'; }, '-');
  return name;
}

/// The entry by itself; nothing of it is compared with the rest of the map.
Result<MapPeer> read_peer(const RemotePeerConfig& entry, std::string_view domain,
                          std::vector<std::string>& left_out) {
  MapPeer peer;
  const auto key = control::parse_key_text(entry.wg_key());
  if (!key) return fail_with("it has no valid WireGuard key");
  peer.wireguard_key = *key;
  if (entry.allowed_ips_size() > kPeerAddressesMax) return fail_with("it has too many addresses");
  peer.key_name = TRY(read_key_name(entry.trellis_key_name()));
  peer.addresses = read_addresses(entry, entry.fqdn(), left_out);
  peer.name = name_of(entry, peer.addresses, domain);
  peer.version = read_version(entry.agent_version());
  return peer;
}

std::string title_of(const RemotePeerConfig& entry) {
  return quoted(entry.fqdn().empty() ? entry.wg_key() : entry.fqdn());
}

/// Our own entry.
Result<Map> read_own(const PeerConfig& config, std::string_view allowed_domain) {
  Map map;
  std::string fqdn = ascii_lower(config.fqdn());
  if (fqdn.ends_with('.')) fqdn.pop_back();
  const std::size_t dot = std::min(fqdn.find('.'), fqdn.size());
  map.name = fqdn.substr(0, dot);
  map.domain = fqdn.substr(std::min(dot + 1, fqdn.size()));
  const auto v4 = InterfaceAddress::parse(config.address());
  if (!v4 || config.address().find('/') == std::string::npos) {
    return fail_with(
        fmt::format("the server gave this machine no valid address: {}", quoted(config.address())));
  }
  map.addresses.push_back(*v4);
  if (const ByteView v6 = control::field_bytes(config.address_v6()); !v6.empty()) {
    const auto length = std::to_integer<std::uint8_t>(v6.back());
    if (v6.size() != 17 || length > 128) {
      return fail_with("the server gave this machine no valid IPv6 address");
    }
    map.addresses.push_back({IpAddress::from_bytes(v6.first(16)), length});
  }
  TRY(check_own(map));
  if (!is_allowed_domain(map.domain, allowed_domain)) {
    return fail_with(fmt::format(
        "the server's network has the domain {}, where names may be others': only domains under "
        "\"internal\" are taken, or the one of `trellisd --domain`",
        quoted(map.domain)));
  }
  return map;
}

/// Leaves of the peer the addresses that the rules let in whole.
Result<> keep_rules(const Rules& rules, MapPeer& peer, Map& map,
                    std::vector<std::string>& left_out) {
  const auto verdict_of = [&](const Prefix& address) { return rules.verdict(address.address()); };
  const auto partial = [&](const Prefix& a) { return verdict_of(a) == Rules::Verdict::Partial; };
  const auto closed = [&](const Prefix& a) { return verdict_of(a) == Rules::Verdict::Closed; };
  if (std::ranges::any_of(peer.addresses, partial)) {
    map.rules_enforced = false;
    return fail_with(
        "the rules let only a part of its traffic through, which this version cannot "
        "tell apart");
  }
  if (std::ranges::all_of(peer.addresses, closed)) return fail_with("no rule lets its packets in");
  std::erase_if(peer.addresses, [&](const Prefix& address) {
    if (!closed(address)) return false;
    left_out.push_back(fmt::format("address {} of peer {} is left out: no rule lets its packets in",
                                   address.to_string(), quoted(peer.name)));
    return true;
  });
  return {};
}

void leave_out_twins(Map& map, Rejections& rejections) {
  const auto keys = twins(map.peers);
  if (keys.empty()) return;
  std::erase_if(map.peers, [&](const MapPeer& peer) {
    if (std::ranges::find(keys, peer.wireguard_key) == keys.end()) return false;
    rejections.add(
        fmt::format("peer {} is left out: another peer has its Rosenpass key", quoted(peer.name)));
    return true;
  });
}

void sort_peers(Map& map) { std::ranges::sort(map.peers, {}, &MapPeer::wireguard_key); }

void read_peers(const NetworkMap& wire, const MapContext& context, const Rules& rules, Map& map,
                Rejections& rejections) {
  PeerChecks checks(map, context.own_key);
  std::vector<MapPeer> peers;
  for (const RemotePeerConfig& entry : wire.remote_peers()) {
    std::vector<std::string> left_out;
    const auto take = [&]() -> Result<> {
      MapPeer peer = TRY(read_peer(entry, map.domain, left_out));
      TRY(checks.admit(peer, left_out));
      TRY(keep_rules(rules, peer, map, left_out));
      peers.push_back(std::move(peer));
      return {};
    };
    const auto taken = take();
    for (std::string& line : left_out) rejections.add(std::move(line));
    if (!taken) {
      rejections.add(
          fmt::format("peer {} is left out: {}", title_of(entry), taken.error().message));
    }
  }
  map.peers = std::move(peers);
}

/// Parts of a map that we do not carry out, which takes nothing from the peers.
void tell_unused(const NetworkMap& wire, Rejections& rejections) {
  const auto tell = [&](int count, std::string_view what) {
    if (count == 0) return;
    rejections.add(fmt::format("{} {}: this version does not use them", count, what));
  };
  tell(wire.routes_size(), "routes");
  tell(wire.forwarding_rules_size(), "forwarded ports");
  tell(wire.dns().groups_size(), "groups of name servers");
}

/// Who is concerned by an update.
struct Concerned {
  std::unordered_set<crypto::PublicKey> changed;
  std::unordered_set<crypto::PublicKey> removed;

  bool contains(const MapPeer& peer) const {
    return changed.contains(peer.wireguard_key) || removed.contains(peer.wireguard_key);
  }
};

Result<Concerned> read_concerned(const TrellisUpdate& update) {
  Concerned result;
  for (const RemotePeerConfig& entry : update.changed()) {
    const auto key = control::parse_key_text(entry.wg_key());
    if (!key || !result.changed.insert(*key).second) {
      return fail_with("an update has an entry without a key, or two with one key");
    }
  }
  for (const std::string& text : update.removed()) {
    const auto key = control::parse_key_text(text);
    if (!key || result.changed.contains(*key)) {
      return fail_with("an update removes what is no key, or what it also changes");
    }
    result.removed.insert(*key);
  }
  return result;
}

/// The entries of an update, sorted by key. They are checked among themselves and against those of
/// `settled`, which are known to agree with each other: a change costs what it changes.
Result<std::vector<MapPeer>> read_changed(const TrellisUpdate& update, const Map& map,
                                          const crypto::PublicKey& own_key,
                                          const std::vector<MapPeer>& settled) {
  PeerChecks checks(map, own_key);
  std::set<pair::KeyName> key_names;
  std::vector<MapPeer> changed;
  std::vector<std::string> left_out;
  const auto is_twin = [&] { return fail_with("an update gives two peers one Rosenpass key"); };
  for (const RemotePeerConfig& entry : update.changed()) {
    MapPeer peer = TRY(read_peer(entry, map.domain, left_out));
    TRY(checks.admit(peer, left_out));
    if (peer.key_name && !key_names.insert(*peer.key_name).second) return is_twin();
    changed.push_back(std::move(peer));
  }
  if (!left_out.empty()) return fail_with(left_out.front());
  for (const MapPeer& peer : settled) {
    TRY(checks.check_settled(peer));
    if (peer.key_name && key_names.contains(*peer.key_name)) return is_twin();
  }
  std::ranges::sort(changed, {}, &MapPeer::wireguard_key);
  return changed;
}

}  // namespace

bool is_allowed_domain(std::string_view domain, std::string_view allowed) {
  constexpr std::string_view kInternal = ".internal";
  return (domain.size() > kInternal.size() && domain.ends_with(kInternal)) ||
         (!domain.empty() && domain == allowed);
}

Result<Map> read_map(const NetworkMap& wire, const MapContext& context) {
  const PeerConfig* own = wire.has_peer_config() ? &wire.peer_config() : context.peer_config;
  if (own == nullptr) return fail_with("the server's map does not say who we are");
  Map map = TRY(read_own(*own, context.allowed_domain));
  map.serial = wire.serial();
  if (static_cast<std::size_t>(wire.remote_peers_size()) > Map::kPeersMax) {
    return fail_with(fmt::format("the server's map has {} peers: {} are allowed",
                                 wire.remote_peers_size(), Map::kPeersMax));
  }
  const Rules rules = TRY(Rules::read(wire, context.source));
  Rejections rejections;
  read_peers(wire, context, rules, map, rejections);
  leave_out_twins(map, rejections);
  map.takes_updates = rejections.empty() && rules.open_to_all();
  tell_unused(wire, rejections);
  map.rejected = std::move(rejections).take();
  sort_peers(map);
  return map;
}

Result<Map> apply_update(const Map& map, const TrellisUpdate& update,
                         const crypto::PublicKey& own_key) {
  if (!map.takes_updates) return fail_with("the map in force takes no updates");
  if (update.base_serial() != map.serial || update.serial() <= map.serial) {
    return fail_with(fmt::format("an update from serial {} to {} does not fit the map of serial {}",
                                 update.base_serial(), update.serial(), map.serial));
  }
  const Concerned concerned = TRY(read_concerned(update));
  Map result = map;
  result.serial = update.serial();
  std::erase_if(result.peers, [&](const MapPeer& peer) { return concerned.contains(peer); });
  if (result.peers.size() + concerned.changed.size() > Map::kPeersMax) {
    return fail_with("an update makes the map too long");
  }
  std::vector<MapPeer> changed = TRY(read_changed(update, map, own_key, result.peers));
  std::vector<MapPeer> merged;
  merged.reserve(result.peers.size() + changed.size());
  std::merge(std::make_move_iterator(result.peers.begin()),
             std::make_move_iterator(result.peers.end()), std::make_move_iterator(changed.begin()),
             std::make_move_iterator(changed.end()), std::back_inserter(merged),
             [](const MapPeer& a, const MapPeer& b) { return a.wireguard_key < b.wireguard_key; });
  result.peers = std::move(merged);
  return result;
}

}  // namespace trellis::netmap
