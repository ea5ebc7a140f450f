#include "system/wireguard_link.h"

#include "base/bytes.h"
#include "system/descriptor.h"
#include "system/netlink.h"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace trellis::system {
namespace {

/// One attribute as bytes, to be put inside of another.
ByteVector nested(std::uint16_t type, std::string_view text) {
  rtattr header{};
  header.rta_type = type;
  header.rta_len = static_cast<std::uint16_t>(sizeof header + text.size());
  ByteVector bytes = to_vector(std::as_bytes(std::span(&header, 1)));
  append(bytes, as_bytes(text));
  return bytes;
}

}  // namespace

Result<bool> add_wireguard_link(const std::string& name) {
  Netlink netlink = TRY(Netlink::open());
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body);
  message.attribute(IFLA_IFNAME, as_bytes(name + '\0'));
  message.attribute(IFLA_LINKINFO, nested(IFLA_INFO_KIND, "wireguard"));
  const int error = netlink.request(std::move(message));
  switch (error) {
    case 0:
      return true;
    case EOPNOTSUPP:
      return false;
    case EEXIST:
      return fail_with(fmt::format(
          "there is an interface {} already: name another one, or remove it by `ip link delete {}`",
          name, name));
    default:
      return fail_with_errno("cannot make the interface " + name, error);
  }
}

}  // namespace trellis::system
