#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "node/netmap/map.h"
#include "protocol/dns/message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trellis::names {

/// How long an answer may be remembered, and how long that there is none: less, since a machine
/// that joins is looked for at once.
inline constexpr std::uint32_t kTtlSeconds = 60;
inline constexpr std::uint32_t kNegativeTtlSeconds = 10;

/// Answers for the names of the network's machines, and for nothing else. [RFC 1034, 1035, 2308]
///
///   alice.trellis.internal            A, AAAA; no data for other types
///   4.7.92.100.in-addr.arpa, ...      PTR, for the addresses of the network
///   other names of these zones        NXDOMAIN; or no data where names are below them
///   all else                          REFUSED: we resolve for nobody
///
/// Pure. What a query costs is bounded by its own length and a look-up.
class Names {
 public:
  Names() = default;  // refuses everything
  explicit Names(const netmap::Map& map);

  /// The answer to a message that came by `transport`, on TCP without the length in front; nothing
  /// if it deserves none: it is an answer itself, or has no header.
  std::optional<ByteVector> answer(ByteView message, dns::Transport transport) const;

 private:
  void add(const std::string& label, const IpAddress& address);
  dns::Response resolve(const dns::Question& question) const;
  dns::Response resolve_machine(const dns::Question& question) const;
  dns::Response resolve_address(const dns::Question& question, const Prefix& asked,
                                const Prefix& network) const;
  const Prefix* network_of(const Prefix& asked) const;
  dns::Record authority(const dns::Name& zone) const;
  void add_authority(dns::Response& response, const dns::Question& question,
                     const dns::Name& zone) const;

  std::uint32_t serial_ = 0;
  dns::Name domain_;  // the root: no map yet
  std::vector<Prefix> networks_;
  std::unordered_map<std::string, std::vector<IpAddress>> machines_;  // by label, lower case
  std::vector<std::pair<IpAddress, dns::Name>> addresses_;            // sorted
};

}  // namespace trellis::names
