#pragma once

#include "base/address.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "node/pair/key_name.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Of protocol/control/management.pb.h, which is long.
namespace trellis::wire::management {
class NetworkMap;
class PeerConfig;
class TrellisUpdate;
}  // namespace trellis::wire::management

namespace trellis::netmap {

/// A machine that we may talk to, as the server's map names it.
struct MapPeer {
  std::string name;  // one DNS label, lower case, no other machine's of this map
  crypto::PublicKey wireguard_key;
  std::optional<pair::KeyName> key_name;  // nothing: it has no post-quantum key
  std::vector<Prefix> addresses;          // at least one; each a single address of the network
  std::string version;                    // of its agent, as it says itself; may be empty
  friend bool operator==(const MapPeer&, const MapPeer&) = default;
};

/// What of a server's map is in force. Nothing in it is believed: each field was checked, and what
/// did not pass is left out and told in `rejected`. [pair rule 10]
struct Map {
  static constexpr int kVersion = 1;               // of the cached form
  static constexpr std::size_t kPeersMax = 10000;  // a map of more is refused
  static constexpr std::size_t kRejectedMax = 32;  // lines; the last one then counts the others

  std::uint64_t serial = 0;
  std::string name;                         // ours, one label
  std::string domain;                       // "trellis.internal", lower case, no dot at its end
  std::vector<InterfaceAddress> addresses;  // ours: IPv4, then perhaps IPv6; with their networks
  std::vector<MapPeer> peers;               // sorted by WireGuard key
  /// What of the server's map is not in force, and why; for people.
  std::vector<std::string> rejected;
  /// False: peers were left out because the rules let through only a part of their traffic, and
  /// this agent has no filter to keep such rules.
  bool rules_enforced = true;
  /// An update may be put on top: no peer is left out, and the rules admit new ones.
  bool takes_updates = false;

  friend bool operator==(const Map&, const Map&) = default;
};

/// Who made the map. A map without rules means "everything is allowed" if a stock server sends it;
/// ours always writes its rules down, so there it is an error.
enum class MapSource : std::uint8_t { Trellis, Stock };

struct MapContext {
  crypto::PublicKey own_key;
  MapSource source = MapSource::Trellis;
  /// Of the login or of the answer that holds the map: used if the map itself has none.
  const wire::management::PeerConfig* peer_config = nullptr;
  /// That the network may have, besides those under "internal".
  std::string_view allowed_domain;
};

/// A network has its names under "internal", which is nobody else's, or under the domain that this
/// machine's administrator allowed (in small letters; may be empty). Else a server could answer for
/// names that are others'.
bool is_allowed_domain(std::string_view domain, std::string_view allowed);

/// Fails, and says why, only if nothing of the map can be used: no valid address or name of our
/// own, a domain that is not allowed, too many peers, no rules in a map of our server. A wrong
/// entry costs that entry only; of two entries with one key, name or address the first counts, of
/// two with one Rosenpass key none. [pair rule 3]
///
/// Whether `serial` may be taken over is the caller's to decide.
Result<Map> read_map(const wire::management::NetworkMap& map, const MapContext& context);

/// `map` with the changes of `update`. Any doubt is a failure, and then the owner asks for a whole
/// map: another base serial, a serial that does not rise, an entry that read_map() would leave out,
/// a map that does not take updates.
Result<Map> apply_update(const Map& map, const wire::management::TrellisUpdate& update,
                         const crypto::PublicKey& own_key);

/// The form on disk: JSON. No secret is in it.
std::string format_map(const Map& map);

/// Fails, and says why, on anything but a whole map of a version that we know, checked as strictly
/// as one from a server.
Result<Map> parse_map(std::string_view text, const crypto::PublicKey& own_key);

}  // namespace trellis::netmap
