#include "node/link/path_rules.h"

#include <algorithm>

namespace trellis::link {
namespace {

/// 0.0.0.0/8 is this network, 240.0.0.0/4 is reserved and ends in the broadcast address.
/// [RFC 6890 2.2.2]
bool is_reserved(const IpAddress& address) {
  if (!address.is_v4()) return false;
  const auto first = std::to_integer<unsigned>(address.bytes()[0]);
  return first == 0 || first >= 240;
}

}  // namespace

bool may_lead_to_peer(const Endpoint& endpoint, const std::vector<Prefix>& overlay) {
  const IpAddress& address = endpoint.address;
  const bool is_one_machine = !address.is_unspecified() && !address.is_loopback() &&
                              !address.is_multicast() && !is_reserved(address);
  const bool is_mapped = address.unmapped() != address;
  if (endpoint.port == 0 || !is_one_machine || is_mapped || address.is_link_local()) return false;
  return std::ranges::none_of(overlay, [&](const Prefix& p) { return p.contains(address); });
}

}  // namespace trellis::link
