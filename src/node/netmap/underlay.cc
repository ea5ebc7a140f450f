#include "node/netmap/underlay.h"

#include <algorithm>
#include <array>

namespace trellis::netmap {
namespace {

/// Docker, libvirt, Podman, CNI, LXC, LXD.
constexpr std::array<std::string_view, 7> kContainerBridges = {"docker", "br-",   "virbr", "podman",
                                                               "cni",    "lxcbr", "lxdbr"};

bool is_container_bridge(const NetworkInterface& interface) {
  return interface.bridge && std::ranges::any_of(kContainerBridges, [&](std::string_view prefix) {
           return interface.name.starts_with(prefix);
         });
}

bool leads_out(const NetworkInterface& interface, std::string_view own_interface) {
  return interface.up && !interface.loopback && !interface.tunnel &&
         interface.name != own_interface && !is_container_bridge(interface);
}

bool can_be_reached(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() &&
         !address.is_link_local() && address.unmapped() == address;
}

}  // namespace

std::vector<IpAddress> host_addresses(const std::vector<NetworkInterface>& interfaces,
                                      std::string_view own_interface,
                                      const std::vector<Prefix>& overlay) {
  std::vector<IpAddress> v4;
  std::vector<IpAddress> v6;
  for (const NetworkInterface& interface : interfaces) {
    if (!leads_out(interface, own_interface)) continue;
    for (const NetworkInterface::Address& entry : interface.addresses) {
      const IpAddress& address = entry.address.address;
      const bool inside =
          std::ranges::any_of(overlay, [&](const Prefix& p) { return p.contains(address); });
      auto& family = address.is_v4() ? v4 : v6;
      const bool known = std::ranges::find(family, address) != family.end();
      if (entry.usable && can_be_reached(address) && !inside && !known) family.push_back(address);
    }
  }
  // In turn, so that many addresses of one family do not crowd out the other.
  std::vector<IpAddress> result;
  for (std::size_t i = 0; i < std::max(v4.size(), v6.size()); ++i) {
    if (i < v4.size()) result.push_back(v4[i]);
    if (i < v6.size()) result.push_back(v6[i]);
  }
  result.resize(std::min(result.size(), kHostAddressesMax));
  return result;
}

}  // namespace trellis::netmap
