#include "apps/rosenpass/rp.h"

#include <fmt/format.h>

#include <algorithm>

namespace trellis::rosenpass_program {
namespace {

/// Interfaces have 1 to 15 bytes; a slash would lead out of the folder of control sockets.
bool is_interface_name(const std::string& name) {
  return !name.empty() && name.size() < 16 && name != "." && name != ".." &&
         std::ranges::none_of(name, [](char c) { return c == '/' || c <= ' '; });
}

Result<> check_allowed_ips(const std::string& list) {
  std::string_view rest = list;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    if (!Prefix::parse(rest.substr(0, end))) {
      return fail_with(fmt::format("`allowed-ips {}`: use ADDRESS/LENGTH,...", list));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

Result<> take_own(Tunnel& tunnel, const std::string& keyword, const std::string& value) {
  if (keyword == "dev") {
    if (!is_interface_name(value)) {
      return fail_with(fmt::format("`dev {}` is no name of an interface", value));
    }
    tunnel.device = value;
    return {};
  }
  if (keyword == "ip") {
    tunnel.ip = InterfaceAddress::parse(value);
    if (tunnel.ip) return {};
    return fail_with(fmt::format("`ip {}`: use ADDRESS/LENGTH, such as 10.9.0.1/24", value));
  }
  if (keyword == "listen") {
    tunnel.listen = Endpoint::parse(value);
    if (!tunnel.listen) return fail_with(fmt::format("`listen {}`: use ADDRESS:PORT", value));
    TRY(port_after(tunnel.listen->port));
    return {};
  }
  return fail_with(fmt::format("\"{}\" is not known here: use dev, ip, listen or peer", keyword));
}

Result<> take_of_peer(Tunnel::Peer& peer, const std::string& keyword, const std::string& value) {
  if (keyword == "endpoint") {
    if (!split_endpoint(value)) {
      return fail_with(fmt::format("`endpoint {}`: use HOST:PORT", value));
    }
    peer.endpoint = value;
    return {};
  }
  if (keyword == "persistent-keepalive") {
    peer.persistent_keepalive = value;
    return {};
  }
  if (keyword == "allowed-ips") {
    peer.allowed_ips = value;
    return check_allowed_ips(value);
  }
  return fail_with(
      fmt::format("\"{}\" is not known for a peer: use endpoint, "
                  "persistent-keepalive, allowed-ips or peer",
                  keyword));
}

}  // namespace

Result<Tunnel> parse_tunnel_words(const std::vector<std::string>& words) {
  if (words.empty()) return fail_with("a private folder is missing");
  Tunnel tunnel;
  tunnel.private_folder = expanded(words[0]);
  for (std::size_t i = 1; i < words.size(); i += 2) {
    const std::string& keyword = words[i];
    if (i + 1 == words.size()) return fail_with(fmt::format("`{}` wants a value", keyword));
    const std::string& value = words[i + 1];
    if (keyword == "peer") {
      tunnel.peers.push_back({.public_folder = expanded(value)});
    } else if (tunnel.peers.empty()) {
      TRY(take_own(tunnel, keyword, value));
    } else {
      TRY(take_of_peer(tunnel.peers.back(), keyword, value));
    }
  }
  return tunnel;
}

}  // namespace trellis::rosenpass_program
