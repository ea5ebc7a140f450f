#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <optional>

namespace trellis::ip {

/// Whether the host that sent this packet sends smaller ones if it is told to. IPv4 that may be
/// fragmented need not be told; IPv6 of up to 1,280 bytes must pass whole, and what carries it has
/// to see to that. [RFC 1191 4, RFC 8200 5]
///
/// `packet` is one that `parse` has taken.
bool shrinks_when_told(ByteView packet);

/// What a router answers to a packet that does not fit: "fragmentation needed" to IPv4, "packet too
/// big" to IPv6. The answer seems to come from where the packet was to go. `mtu`: of whole packets
/// that would pass; to IPv6 never told below 1,280. [RFC 792, RFC 1191 4, RFC 4443 3.2]
///
/// `packet` is one that `parse` has taken. Nothing: there must be no answer, for it is itself an
/// error, may be fragmented, or is not from or to a single host.
std::optional<ByteVector> too_big(ByteView packet, std::uint16_t mtu);

}  // namespace trellis::ip
