#include "system/interfaces.h"

#include "system/netlink.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace trellis::system {
namespace {

/// A text attribute, without the zero that ends it.
std::string_view text_of(ByteView value) {
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  return text.substr(0, text.find('\0'));
}

std::optional<NetworkInterface> read_interface(const NetlinkEntry& entry) {
  ifinfomsg body{};
  if (!entry.read_body(body)) return std::nullopt;
  NetworkInterface result;
  result.name = text_of(entry.attribute(sizeof body, IFLA_IFNAME));
  result.index = static_cast<std::uint32_t>(body.ifi_index);
  result.up = (body.ifi_flags & IFF_UP) != 0 && (body.ifi_flags & IFF_RUNNING) != 0;
  result.loopback = (body.ifi_flags & IFF_LOOPBACK) != 0;
  const NetlinkEntry info(entry.attribute(sizeof body, IFLA_LINKINFO));
  const std::string_view kind = text_of(info.attribute(0, IFLA_INFO_KIND));
  // TAP devices are of that kind too: Ethernet, to a virtual machine or out of a container.
  result.tunnel = kind == "wireguard" || (kind == "tun" && body.ifi_type != ARPHRD_ETHER);
  result.bridge = kind == "bridge";
  return result;
}

struct OwnedAddress {
  std::uint32_t interface = 0;
  NetworkInterface::Address address;
};

std::optional<OwnedAddress> read_address(const NetlinkEntry& entry) {
  ifaddrmsg body{};
  if (!entry.read_body(body)) return std::nullopt;
  // IPv6 has no IFA_LOCAL unless there is another end.
  ByteView bytes = entry.attribute(sizeof body, IFA_LOCAL);
  if (bytes.empty()) bytes = entry.attribute(sizeof body, IFA_ADDRESS);
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  const std::uint32_t flags = entry.number(sizeof body, IFA_FLAGS).value_or(body.ifa_flags);
  constexpr std::uint32_t kUnusable = IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED;
  OwnedAddress result;
  result.interface = body.ifa_index;
  result.address.address = {IpAddress::from_bytes(bytes), body.ifa_prefixlen};
  result.address.usable = (flags & kUnusable) == 0 || (flags & IFA_F_OPTIMISTIC) != 0;
  return result;
}

/// Nothing if it is no default route of the main table.
std::optional<DefaultRoute> read_default_route(const NetlinkEntry& entry) {
  rtmsg body{};
  if (!entry.read_body(body) || body.rtm_dst_len != 0 || body.rtm_type != RTN_UNICAST ||
      body.rtm_table != RT_TABLE_MAIN) {
    return std::nullopt;
  }
  if (body.rtm_family != AF_INET && body.rtm_family != AF_INET6) return std::nullopt;
  DefaultRoute route;
  route.family = body.rtm_family == AF_INET ? IpAddress::Family::V4 : IpAddress::Family::V6;
  route.interface = entry.number(sizeof body, RTA_OIF).value_or(0);
  route.metric = entry.number(sizeof body, RTA_PRIORITY).value_or(0);
  const ByteView gateway = entry.attribute(sizeof body, RTA_GATEWAY);
  if (gateway.size() == 4 || gateway.size() == 16) route.gateway = IpAddress::from_bytes(gateway);
  return route;
}

Result<> dump(Netlink& netlink, NetlinkMessage message, const char* what,
              const std::function<void(const NetlinkEntry&)>& entry) {
  const int error = netlink.dump(std::move(message), entry);
  if (error != 0) return fail_with_errno(what, error);
  return {};
}

}  // namespace

Result<NetworkState> read_network_state(const std::string& ignored) {
  Netlink netlink = TRY(Netlink::open());
  std::map<std::uint32_t, NetworkInterface> interfaces;
  TRY(dump(netlink, NetlinkMessage(RTM_GETLINK, 0, ifinfomsg{}), "listing interfaces",
           [&](const NetlinkEntry& entry) {
             auto interface = read_interface(entry);
             if (!interface || (!ignored.empty() && interface->name == ignored)) return;
             const std::uint32_t index = interface->index;
             interfaces[index] = *std::move(interface);
           }));
  TRY(dump(netlink, NetlinkMessage(RTM_GETADDR, 0, ifaddrmsg{}), "listing addresses",
           [&](const NetlinkEntry& entry) {
             const auto address = read_address(entry);
             if (!address) return;
             const auto it = interfaces.find(address->interface);
             if (it != interfaces.end()) it->second.addresses.push_back(address->address);
           }));
  NetworkState state;
  TRY(dump(netlink, NetlinkMessage(RTM_GETROUTE, 0, rtmsg{}), "listing routes",
           [&](const NetlinkEntry& entry) {
             const auto route = read_default_route(entry);
             if (!route) return;
             const bool known = route->interface == 0 || interfaces.contains(route->interface);
             if (known) state.default_routes.push_back(*route);
           }));
  for (auto& [index, interface] : interfaces) {
    std::ranges::sort(interface.addresses, {}, &NetworkInterface::Address::address);
    state.interfaces.push_back(std::move(interface));
  }
  std::ranges::sort(state.default_routes);
  return state;
}

}  // namespace trellis::system
