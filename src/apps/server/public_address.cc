#include "apps/server/public_address.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace trellis::apps {
namespace {

bool is_reachable(const IpAddress& address) {
  return !address.is_loopback() && !address.is_link_local() && !address.is_unspecified() &&
         !address.is_multicast();
}

/// Of an interface that is up and no VPN's, the first of that family.
std::optional<IpAddress> own_address(const NetworkState& network, IpAddress::Family family) {
  for (const NetworkInterface& interface : network.interfaces) {
    if (!interface.up || interface.loopback || interface.tunnel) continue;
    for (const auto& entry : interface.addresses) {
      const IpAddress& address = entry.address.address;
      if (address.family() == family && is_reachable(address)) return address;
    }
  }
  return std::nullopt;
}

std::string guessed_host(const std::vector<Endpoint>& listening, const NetworkState& network) {
  for (const Endpoint& endpoint : listening) {
    if (!endpoint.address.is_unspecified()) return endpoint.address.to_string();
  }
  for (const auto family : {IpAddress::Family::V4, IpAddress::Family::V6}) {
    if (const auto address = own_address(network, family)) return address->to_string();
  }
  return "127.0.0.1";
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end || port == 0) return std::nullopt;
  return port;
}

}  // namespace

Result<control::JoinLine> public_address(std::string_view named,
                                         const std::vector<Endpoint>& listening,
                                         const NetworkState& network) {
  const std::uint16_t port = listening.empty() ? 443 : listening.front().port;
  control::JoinLine line;
  line.port = port;
  if (named.empty()) {
    line.host = guessed_host(listening, network);
    return line;
  }
  if (const auto address = IpAddress::parse(named)) {
    line.host = address->to_string();
    return line;
  }
  const bool with_port = named.rfind(':') != std::string_view::npos && !named.ends_with(']');
  const auto parsed =
      control::JoinLine::parse(fmt::format("https://{}#sha256:{}", named, std::string(64, '0')));
  if (!parsed) {
    return fail_with(fmt::format(
        "--public {}: write HOST or HOST:PORT, for example vpn.example.org, 192.0.2.1:8443 or "
        "[2001:db8::1]:8443",
        named));
  }
  line = *parsed;
  if (!with_port) line.port = port;
  return line;
}

Result<std::vector<Endpoint>> parse_listen(std::string_view text) {
  if (text.starts_with(':')) {
    if (const auto port = parse_port(text.substr(1))) {
      return std::vector<Endpoint>{{IpAddress::v4({}), *port, 0}, {IpAddress::v6({}), *port, 0}};
    }
  } else if (const auto endpoint = Endpoint::parse(text)) {
    return std::vector<Endpoint>{*endpoint};
  }
  return fail_with(fmt::format(
      "--listen {}: write ADDRESS:PORT, for example 192.0.2.1:443, [2001:db8::1]:443, or :443 for "
      "all addresses",
      text));
}

}  // namespace trellis::apps
