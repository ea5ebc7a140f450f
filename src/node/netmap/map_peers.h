#pragma once

#include "node/netmap/map.h"

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace trellis::netmap {

/// Fails, and says why, unless name, domain and addresses of a map are those of one machine in a
/// network that we would make or join: an IPv4 address inside 100.64.0.0/10, then perhaps an IPv6
/// address in a /48 or less of fc00::/7.
Result<> check_own(const Map& map);

/// The peers of one map, each checked against our own entry and against those before it.
class PeerChecks {
 public:
  /// `own`: a map that passed check_own(); its peers do not count. Must outlive the checks.
  PeerChecks(const Map& own, const crypto::PublicKey& own_key) : own_(own), own_key_(own_key) {}

  /// Takes name, key and addresses for this peer. Fails, and says why, if nobody may have them, or
  /// another peer has them already. Addresses that it may not have are taken out of `peer`, and
  /// `left_out` then says why; none left is a failure.
  Result<> admit(MapPeer& peer, std::vector<std::string>& left_out);

  /// Of a peer that an earlier map admitted: fails, and says why, if one that was admitted here has
  /// its name, its key or one of its addresses. Far cheaper than to admit them all again.
  Result<> check_settled(const MapPeer& peer) const;

 private:
  Result<> check_address(const Prefix& address) const;

  const Map& own_;
  crypto::PublicKey own_key_;
  std::unordered_set<std::string> names_;
  std::unordered_set<crypto::PublicKey> keys_;
  std::unordered_set<IpAddress> addresses_;
};

/// Those among `peers` whose Rosenpass key is also another's. [pair rule 3]
std::vector<crypto::PublicKey> twins(const std::vector<MapPeer>& peers);

/// Foreign text in our messages: short, and without what a terminal would act upon.
std::string quoted(std::string_view text);

}  // namespace trellis::netmap
