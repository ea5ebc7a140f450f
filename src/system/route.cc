#include "system/route.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace trellis::system {
namespace {

unsigned char family_of(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

/// 0 is fine; what else a kernel says becomes a sentence.
Result<> outcome(int error, const std::string& what) {
  if (error == 0) return {};
  if (error == EPERM) {
    return fail_with(what + " needs root (CAP_NET_ADMIN): run this as root");
  }
  if (error == ENODEV) return fail_with(what + ": the interface is gone");
  if (error == EOPNOTSUPP || error == EAFNOSUPPORT || error == EACCES) {
    return fail_with(what +
                     ": IPv6 is switched off here (`sysctl net.ipv6.conf.all.disable_ipv6`)");
  }
  return fail_with_errno(what, error);
}

rtmsg route_to(const Prefix& prefix, std::uint8_t type) {
  rtmsg body{};
  body.rtm_family = family_of(prefix.address());
  body.rtm_dst_len = prefix.length();
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = kRouteProtocol;
  body.rtm_scope =
      type == RTN_UNICAST && prefix.address().is_v4() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  body.rtm_type = type;
  return body;
}

NetlinkMessage address_message(std::uint16_t type, std::uint16_t flags, std::uint32_t interface,
                               const InterfaceAddress& address) {
  ifaddrmsg body{};
  body.ifa_family = family_of(address.address);
  body.ifa_prefixlen = address.length;
  body.ifa_flags = address.address.is_v6() ? IFA_F_NODAD : 0;
  body.ifa_index = interface;
  NetlinkMessage message(type, flags, body);
  message.attribute(IFA_LOCAL, address.address.bytes());
  message.attribute(IFA_ADDRESS, address.address.bytes());
  return message;
}

NetlinkMessage guard_message(std::uint16_t type, std::uint16_t flags, const Prefix& prefix,
                             std::uint32_t metric) {
  NetlinkMessage message(type, flags, route_to(prefix, RTN_UNREACHABLE));
  message.attribute(RTA_DST, prefix.address().bytes());
  message.attribute(RTA_PRIORITY, metric);
  return message;
}

/// The destination of a route; nothing for what is not IP.
std::optional<Prefix> destination(const NetlinkEntry& entry, const rtmsg& body) {
  const std::size_t size = body.rtm_family == AF_INET ? 4 : body.rtm_family == AF_INET6 ? 16 : 0;
  if (size == 0 || body.rtm_dst_len > 8 * size) return std::nullopt;
  const ByteView bytes = entry.attribute(sizeof body, RTA_DST);
  const Bytes<16> zero{};
  if (bytes.size() != size) {
    return Prefix(IpAddress::from_bytes(ByteView(zero).first(size)), body.rtm_dst_len);
  }
  return Prefix(IpAddress::from_bytes(bytes), body.rtm_dst_len);
}

}  // namespace

std::uint32_t guard_metric(std::string_view interface) {
  std::uint32_t hash = 2'166'136'261;  // FNV-1a
  for (const char c : interface) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619;
  return 4'000'000'000 + hash % 65'536;
}

Result<Routes> Routes::open() { return Routes(TRY(Netlink::open())); }

Result<std::uint32_t> Routes::interface_index(std::string_view name) {
  const std::string text(name);
  const unsigned index = ::if_nametoindex(text.c_str());
  if (index == 0) return fail_with(fmt::format("there is no interface {}", name));
  return index;
}

Result<> Routes::bring_up(std::uint32_t interface, std::uint32_t mtu) {
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = static_cast<int>(interface);
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  NetlinkMessage message(RTM_NEWLINK, 0, body);
  message.attribute(IFLA_MTU, mtu);
  return outcome(netlink_.request(std::move(message)),
                 fmt::format("bringing the interface up with an MTU of {}", mtu));
}

Result<> Routes::set_mtu(std::uint32_t interface, std::uint32_t mtu) {
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = static_cast<int>(interface);
  NetlinkMessage message(RTM_NEWLINK, 0, body);
  message.attribute(IFLA_MTU, mtu);
  return outcome(netlink_.request(std::move(message)),
                 fmt::format("giving the interface an MTU of {}", mtu));
}

Result<std::uint32_t> Routes::mtu(std::uint32_t interface) {
  // One answer where a dump would bring those of all interfaces.
  ifreq request{};
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid() || ::if_indextoname(interface, request.ifr_name) == nullptr ||
      ::ioctl(socket.get(), SIOCGIFMTU, &request) != 0) {
    return fail_with_errno("cannot read the MTU of the interface", errno);
  }
  return static_cast<std::uint32_t>(request.ifr_mtu);
}

Result<> Routes::delete_interface(std::uint32_t interface) {
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = static_cast<int>(interface);
  return outcome(netlink_.request(NetlinkMessage(RTM_DELLINK, 0, body)), "removing the interface");
}

Result<> Routes::add_address(std::uint32_t interface, const InterfaceAddress& address) {
  return outcome(netlink_.request(address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE,
                                                  interface, address)),
                 fmt::format("adding the address {}", address.to_string()));
}

Result<> Routes::remove_address(std::uint32_t interface, const InterfaceAddress& address) {
  const int error = netlink_.request(address_message(RTM_DELADDR, 0, interface, address));
  return outcome(error == EADDRNOTAVAIL ? 0 : error,
                 fmt::format("removing the address {}", address.to_string()));
}

Result<std::vector<InterfaceAddress>> Routes::addresses(std::uint32_t interface) {
  std::vector<InterfaceAddress> result;
  const int error =
      netlink_.dump(NetlinkMessage(RTM_GETADDR, 0, ifaddrmsg{}), [&](const NetlinkEntry& entry) {
        ifaddrmsg body{};
        if (!entry.read_body(body) || body.ifa_index != interface) return;
        // IPv6 has no IFA_LOCAL unless there is another end.
        ByteView bytes = entry.attribute(sizeof body, IFA_LOCAL);
        if (bytes.empty()) bytes = entry.attribute(sizeof body, IFA_ADDRESS);
        if (bytes.size() != 4 && bytes.size() != 16) return;
        result.push_back({IpAddress::from_bytes(bytes), body.ifa_prefixlen});
      });
  TRY(outcome(error, "listing addresses"));
  return result;
}

Result<> Routes::replace_route(const Prefix& prefix, std::uint32_t interface) {
  NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route_to(prefix, RTN_UNICAST));
  message.attribute(RTA_DST, prefix.address().bytes());
  message.attribute(RTA_OIF, interface);
  return outcome(netlink_.request(std::move(message)),
                 fmt::format("adding the route to {}", prefix.to_string()));
}

Result<> Routes::remove_route(const Prefix& prefix, std::uint32_t interface) {
  NetlinkMessage message(RTM_DELROUTE, 0, route_to(prefix, RTN_UNICAST));
  message.attribute(RTA_DST, prefix.address().bytes());
  message.attribute(RTA_OIF, interface);
  const int error = netlink_.request(std::move(message));
  return outcome(error == ESRCH || error == ENODEV ? 0 : error,
                 fmt::format("removing the route to {}", prefix.to_string()));
}

Result<> Routes::add_guard(const Prefix& prefix, std::string_view interface) {
  const int error = netlink_.request(
      guard_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, prefix, guard_metric(interface)));
  return outcome(error == EEXIST ? 0 : error,
                 fmt::format("adding the unreachable route to {}", prefix.to_string()));
}

Result<std::vector<Prefix>> Routes::guards(std::string_view interface) {
  std::vector<Prefix> result;
  const std::uint32_t metric = guard_metric(interface);
  const int error =
      netlink_.dump(NetlinkMessage(RTM_GETROUTE, 0, rtmsg{}), [&](const NetlinkEntry& entry) {
        rtmsg body{};
        if (!entry.read_body(body) || body.rtm_protocol != kRouteProtocol) return;
        if (body.rtm_type != RTN_UNREACHABLE) return;
        if (entry.number(sizeof body, RTA_PRIORITY) != metric) return;
        if (const auto prefix = destination(entry, body)) result.push_back(*prefix);
      });
  TRY(outcome(error, "listing routes"));
  return result;
}

Result<> Routes::remove_guards(std::string_view interface, const std::vector<Prefix>& keep) {
  const std::vector<Prefix> present = TRY(guards(interface));
  for (const Prefix& prefix : present) {
    if (std::find(keep.begin(), keep.end(), prefix) != keep.end()) continue;
    const int error =
        netlink_.request(guard_message(RTM_DELROUTE, 0, prefix, guard_metric(interface)));
    TRY(outcome(error == ESRCH ? 0 : error,
                fmt::format("removing the unreachable route to {}", prefix.to_string())));
  }
  return {};
}

Result<std::vector<Routes::Foreign>> Routes::overlapping(const Prefix& prefix,
                                                         std::uint32_t interface) {
  std::vector<Foreign> result;
  const int error =
      netlink_.dump(NetlinkMessage(RTM_GETROUTE, 0, rtmsg{}), [&](const NetlinkEntry& entry) {
        rtmsg body{};
        if (!entry.read_body(body) || body.rtm_type != RTN_UNICAST) return;
        if (body.rtm_dst_len == 0 || body.rtm_table != RT_TABLE_MAIN) return;
        const auto other = destination(entry, body);
        if (!other || !other->overlaps(prefix)) return;
        const std::uint32_t out = entry.number(sizeof body, RTA_OIF).value_or(0);
        if (interface != 0 && out == interface) return;
        result.push_back(Foreign{*other, out});
      });
  TRY(outcome(error, "listing routes"));
  return result;
}

}  // namespace trellis::system
