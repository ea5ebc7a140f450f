#include "node/netmap/map_peers.h"

#include "base/host_label.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace trellis::netmap {
namespace {

constexpr std::uint8_t kUlaLengthMin = 48;  // a network of one's own is no larger [RFC 4193 3.1]
constexpr std::size_t kNameBytesMax = 253;

Prefix shared_space() { return *Prefix::parse("100.64.0.0/10"); }
Prefix unique_local() { return *Prefix::parse("fc00::/7"); }

/// The first and the last address of an IPv4 network are no machine's, unless it has but two.
bool is_end_of(const Prefix& network, const IpAddress& address) {
  if (!address.is_v4() || network.length() >= 31) return false;
  if (network.address() == address) return true;
  const ByteView bytes = address.bytes();
  for (std::size_t bit = network.length(); bit < 32; ++bit) {
    const auto mask = static_cast<std::byte>(0x80 >> (bit % 8));
    if ((bytes[bit / 8] & mask) == std::byte{0}) return false;
  }
  return true;
}

Result<> check_own_address(const InterfaceAddress& own) {
  const bool fits = own.address.is_v4()
                        ? shared_space().contains(own.address) && own.length >= 10
                        : unique_local().contains(own.address) && own.length >= kUlaLengthMin;
  if (!fits) {
    return fail_with(
        fmt::format("our own address {} is not in 100.64.0.0/10 or in a network of "
                    "fc00::/7: the server's network cannot be joined",
                    own.to_string()));
  }
  const bool is_network =
      own.length < own.address.bits() - 1 && own.network().address() == own.address;
  if (is_network || is_end_of(own.network(), own.address)) {
    return fail_with(fmt::format("our own address {} is no machine's", own.to_string()));
  }
  return {};
}

}  // namespace

Result<> check_own(const Map& map) {
  if (!is_host_label(map.name) || !is_host_name(map.domain) ||
      map.name.size() + 1 + map.domain.size() > kNameBytesMax) {
    return fail_with(fmt::format("the server gave this machine no valid name: {}",
                                 quoted(map.name + "." + map.domain)));
  }
  const bool one_of_each = !map.addresses.empty() && map.addresses.size() <= 2 &&
                           map.addresses[0].address.is_v4() &&
                           (map.addresses.size() == 1 || map.addresses[1].address.is_v6());
  if (!one_of_each) {
    return fail_with("the server gave this machine no address of its network");
  }
  for (const InterfaceAddress& own : map.addresses) TRY(check_own_address(own));
  return {};
}

Result<> PeerChecks::check_address(const Prefix& address) const {
  if (address.length() != address.address().bits()) {
    return fail_with("a peer has single addresses, not networks");
  }
  const auto network = std::ranges::find_if(own_.addresses, [&](const InterfaceAddress& own) {
    return own.network().contains(address.address());
  });
  if (network == own_.addresses.end()) return fail_with("it is outside of the network");
  if (network->address == address.address()) return fail_with("it is our own");
  if (is_end_of(network->network(), address.address())) return fail_with("it is no machine's");
  if (addresses_.contains(address.address())) return fail_with("another peer has it");
  return {};
}

Result<> PeerChecks::admit(MapPeer& peer, std::vector<std::string>& left_out) {
  if (peer.wireguard_key == crypto::PublicKey{}) return fail_with("a key of zeros is nobody's");
  if (peer.wireguard_key == own_key_) return fail_with("it has our own WireGuard key");
  if (keys_.contains(peer.wireguard_key)) return fail_with("another peer has its WireGuard key");
  if (!is_host_label(peer.name)) return fail_with("its name is no name of a machine");
  if (peer.name == own_.name) return fail_with("it has our own name");
  if (names_.contains(peer.name)) return fail_with("another peer has its name");
  std::vector<Prefix> kept;
  for (const Prefix& address : peer.addresses) {
    auto fine = check_address(address);
    if (fine && std::ranges::find(kept, address) != kept.end())
      fine = fail_with("it is there twice");
    if (fine) {
      kept.push_back(address);
    } else {
      left_out.push_back(fmt::format("address {} of peer {} is left out: {}", address.to_string(),
                                     quoted(peer.name), fine.error().message));
    }
  }
  if (kept.empty()) return fail_with("it has no address of the network");
  peer.addresses = std::move(kept);
  names_.insert(peer.name);
  keys_.insert(peer.wireguard_key);
  for (const Prefix& address : peer.addresses) addresses_.insert(address.address());
  return {};
}

Result<> PeerChecks::check_settled(const MapPeer& peer) const {
  if (keys_.contains(peer.wireguard_key)) return fail_with("another peer has its WireGuard key");
  if (names_.contains(peer.name)) {
    return fail_with(fmt::format("{}: another peer has its name", quoted(peer.name)));
  }
  for (const Prefix& address : peer.addresses) {
    if (addresses_.contains(address.address())) {
      return fail_with(fmt::format("address {} of peer {}: another peer has it",
                                   address.to_string(), quoted(peer.name)));
    }
  }
  return {};
}

std::vector<crypto::PublicKey> twins(const std::vector<MapPeer>& peers) {
  std::map<pair::KeyName, std::size_t> owners;
  for (const MapPeer& peer : peers) {
    if (peer.key_name) ++owners[*peer.key_name];
  }
  std::vector<crypto::PublicKey> result;
  for (const MapPeer& peer : peers) {
    if (peer.key_name && owners[*peer.key_name] > 1) result.push_back(peer.wireguard_key);
  }
  return result;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 64;
  std::string result = "\"";
  for (const char c : text.substr(0, kShown)) {
    result += c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? c : '?';
  }
  return result + (text.size() > kShown ? "...\"" : "\"");
}

}  // namespace trellis::netmap
