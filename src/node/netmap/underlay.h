#pragma once

#include "base/network_interface.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace trellis::netmap {

inline constexpr std::size_t kHostAddressesMax = 16;

/// The addresses of this host at which peers may try to reach it, for host candidates: those of
/// interfaces that are up, IPv4 and IPv6 in turn, at most kHostAddressesMax. [pair rule 9]
///
/// Never an address of an overlay network, of `own_interface`, of any VPN (a tunnel through a
/// tunnel), of a bridge that container programs make (each host has the same ones), loopback,
/// link-local, multicast, or one that the kernel has not approved or is about to drop.
std::vector<IpAddress> host_addresses(const std::vector<NetworkInterface>& interfaces,
                                      std::string_view own_interface,
                                      const std::vector<Prefix>& overlay);

}  // namespace trellis::netmap
