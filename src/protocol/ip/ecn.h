#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace trellis::ip {

/// The two bits of congestion notification in a traffic class: 0 not capable, 1 and 2 capable
/// (ECT(1), ECT(0)), 3 congestion experienced. [RFC 3168 5]
constexpr std::uint8_t kEcnMask = 3;
constexpr std::uint8_t kEct1 = 1;
constexpr std::uint8_t kEct0 = 2;
constexpr std::uint8_t kCongestionExperienced = 3;

/// The traffic class (IPv4: type of service) of a packet that `parse` has taken.
std::uint8_t traffic_class(ByteView packet);

/// Of the packet that carries one of this class: no DSCP, so that nothing leaks; its ECN bits, but
/// ECT(0) for congestion experienced, as the kernel's tunnels do. [RFC 3168 9.1.1]
constexpr std::uint8_t outer_traffic_class(std::uint8_t inner) {
  const std::uint8_t ecn = inner & kEcnMask;
  return ecn == kCongestionExperienced ? kEct0 : ecn;
}

/// Tells an inner packet, which `parse` has taken, what its carrier met: congestion, or ECT(1). The
/// header's checksum follows. A packet whose ends know nothing of ECN stays as it is. [RFC 6040
/// 4.2]
void note_outer_traffic_class(std::uint8_t outer, MutableByteView packet);

}  // namespace trellis::ip
