#pragma once

#include "base/address.h"
#include "base/result.h"
#include "system/netlink.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::system {

/// Interfaces, addresses and routes of this network namespace. All of it needs root; every call is
/// done when it returns.
class Routes {
 public:
  static Result<Routes> open();

  /// The number of the interface; fails if there is none of that name.
  Result<std::uint32_t> interface_index(std::string_view name);
  Result<> bring_up(std::uint32_t interface, std::uint32_t mtu);
  Result<> set_mtu(std::uint32_t interface, std::uint32_t mtu);
  Result<std::uint32_t> mtu(std::uint32_t interface);
  Result<> delete_interface(std::uint32_t interface);

  /// Gives the interface an address and with it the route to its network. IPv6 addresses are used
  /// at once (no duplicate address detection: the list of peers names each once). Existing: kept.
  Result<> add_address(std::uint32_t interface, const InterfaceAddress& address);
  Result<> remove_address(std::uint32_t interface, const InterfaceAddress& address);
  Result<std::vector<InterfaceAddress>> addresses(std::uint32_t interface);

  Result<> replace_route(const Prefix& prefix, std::uint32_t interface);
  /// A route that is not there is no error.
  Result<> remove_route(const Prefix& prefix, std::uint32_t interface);

  // Guards: no way out in clear. [pair rule 12]
  //
  // An `unreachable` route to a network of ours, of so high a metric that any route through our
  // interface wins. When that interface is gone, whoever removed it or ended us, packets to our
  // network are refused with EHOSTUNREACH instead of leaving by the default route. A guard outlives
  // the process; only a clean stop removes it.
  //
  // Guards bear our route protocol number and a metric that belongs to the interface's name, so
  // that those of a killed predecessor are known even if its networks were others:
  // `ip route show proto 117`.
  Result<> add_guard(const Prefix& prefix, std::string_view interface);
  Result<std::vector<Prefix>> guards(std::string_view interface);
  /// Removes all guards of the interface except those of the networks in `keep`.
  Result<> remove_guards(std::string_view interface, const std::vector<Prefix>& keep = {});

  /// A network that this host reaches otherwise.
  struct Foreign {
    Prefix prefix;
    std::uint32_t interface = 0;
  };
  /// Routes of the main table that overlap `prefix`, default routes and guards excepted, and that
  /// do not go through `interface` (0: all).
  Result<std::vector<Foreign>> overlapping(const Prefix& prefix, std::uint32_t interface);

 private:
  explicit Routes(Netlink&& netlink) : netlink_(std::move(netlink)) {}

  Netlink netlink_;
};

/// rtm_protocol of our guards; in no list of /etc/iproute2/rt_protos.
inline constexpr std::uint8_t kRouteProtocol = 117;

/// 4,000,000,000 + (hash of the name) % 65,536: below IPv6's own unreachable default
/// (4,294,967,295) and above anything that people set.
std::uint32_t guard_metric(std::string_view interface);

}  // namespace trellis::system
