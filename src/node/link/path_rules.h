#pragma once

#include "base/address.h"

#include <vector>

namespace trellis::link {

/// Whether a peer may be looked for at this address. Never: loopback, multicast, broadcast,
/// unspecified, reserved and link-local addresses, and those within the VPN. [pair rule 9]
bool may_lead_to_peer(const Endpoint& endpoint, const std::vector<Prefix>& overlay);

}  // namespace trellis::link
