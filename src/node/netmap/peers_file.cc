#include "node/netmap/peers_file.h"

#include "base/hex.h"
#include "base/host_label.h"
#include "node/netmap/toml_fields.h"
#include "node/netmap/toml_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

namespace trellis::netmap {
namespace {

constexpr std::size_t kTextBytesMax = 4 << 20;
constexpr std::size_t kPeersMax = 4096;
constexpr std::size_t kHostAddressesMax = 8;
constexpr std::size_t kPeerAddressesMax = 64;
constexpr std::size_t kPathBytesMax = 4095;
constexpr std::size_t kInterfaceBytesMax = 15;  // of the kernel: IFNAMSIZ - 1
constexpr std::int64_t kMtuMin = 1280;          // below it there is no IPv6
constexpr std::int64_t kMtuMax = 9000;
// Shorter prefixes take over too much of the world to be meant.
constexpr std::uint8_t kV4LengthMin = 8;
constexpr std::uint8_t kV6LengthMin = 16;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Result<std::string> parse_name(const Text& text) {
  if (is_host_label(text.value)) return text.value;
  return fail_at(text.where,
                 "this is no name: use 1 to 63 letters, digits and hyphens, no hyphen at the ends");
}

Result<std::string> parse_interface(const Text& text) {
  const std::string& name = text.value;
  const bool fine = !name.empty() && name.size() <= kInterfaceBytesMax && name != "." &&
                    name != ".." && std::all_of(name.begin(), name.end(), [](char c) {
                      return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.';
                    });
  if (fine) return name;
  return fail_at(text.where,
                 "this is no name of an interface: use 1 to 15 letters, digits, '-', '_' or '.'");
}

Result<Mode> parse_mode(const Text& text) {
  if (text.value == "strict") return Mode::Strict;
  if (text.value == "permissive") return Mode::Permissive;
  return fail_at(text.where, "mode is \"strict\" (post-quantum or nothing) or \"permissive\"");
}

/// An address that a machine can have in an overlay.
bool is_ordinary(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() &&
         !address.is_link_local() && address.unmapped() == address;
}

Result<InterfaceAddress> parse_host_address(const Text& text) {
  const auto address = InterfaceAddress::parse(text.value);
  if (!address || text.value.find('/') == std::string::npos) {
    return fail_at(text.where,
                   "this is no address with a prefix length: write it like \"100.64.7.1/16\"");
  }
  const std::uint8_t least = address->address.is_v4() ? kV4LengthMin : kV6LengthMin;
  if (address->length < least) {
    return fail_at(text.where, fmt::format("the network {} is too large: /{} is the largest; a VPN "
                                           "never takes a default route",
                                           address->network().to_string(), least));
  }
  if (!is_ordinary(address->address)) {
    return fail_at(text.where, fmt::format("{} is a special address: take one of 100.64.0.0/10 or "
                                           "fd00::/8",
                                           address->address.to_string()));
  }
  const bool has_host_bits = address->length + 1 < address->address.bits();
  if (has_host_bits && address->network().address() == address->address) {
    return fail_at(text.where, fmt::format("{} is the network itself: give this host's own address "
                                           "in it",
                                           address->to_string()));
  }
  return *address;
}

Result<std::vector<InterfaceAddress>> parse_host_addresses(const Fields& fields) {
  std::vector<InterfaceAddress> addresses;
  for (const Text& text : TRY(fields.texts("addresses", "\"100.64.7.1/16\"", kHostAddressesMax))) {
    const InterfaceAddress address = TRY(parse_host_address(text));
    for (const InterfaceAddress& other : addresses) {
      if (!other.network().overlaps(address.network())) continue;
      return fail_at(text.where, fmt::format("this overlaps {}: give one address a network",
                                             other.to_string()));
    }
    addresses.push_back(address);
  }
  return addresses;
}

Result<HostSection> parse_host(const toml::table& table) {
  const Fields fields(table, "[host]");
  TRY(fields.allow_only({"name", "interface", "addresses", "listen_port", "mtu", "mode"}));
  HostSection host;
  const Text name = TRY(fields.required_text("name", "\"alice\""));
  host.name = TRY(parse_name(name));
  if (const auto text = TRY(fields.text("interface", "\"trellis0\""))) {
    host.interface = TRY(parse_interface(*text));
  }
  if (const auto text = TRY(fields.text("mode", "\"strict\""))) {
    host.mode = TRY(parse_mode(*text));
  }
  if (const auto port = TRY(fields.number("listen_port", 0, 65535))) {
    host.listen_port = static_cast<std::uint16_t>(*port);
  }
  if (const auto mtu = TRY(fields.number("mtu", kMtuMin, kMtuMax))) {
    host.mtu = static_cast<std::uint32_t>(*mtu);
  }
  host.addresses = TRY(parse_host_addresses(fields));
  return host;
}

Result<PeerEndpoint> parse_endpoint(const Text& text, const HostSection& host) {
  constexpr std::string_view kHow =
      "write \"host.example:51820\", \"192.0.2.1:51820\" or \"[2001:db8::1]:51820\"";
  PeerEndpoint result;
  result.address = Endpoint::parse(text.value);
  if (result.address) {
    const IpAddress& address = result.address->address;
    result.host = address.to_string();
    result.port = result.address->port;
    if (const auto reachable = check_underlay(host, address); !reachable) {
      return fail_at(text.where, reachable.error().message);
    }
  } else {
    const std::size_t colon = text.value.rfind(':');
    if (colon == std::string::npos) {
      return fail_at(text.where, fmt::format("this endpoint has no port: {}", kHow));
    }
    result.host = text.value.substr(0, colon);
    const char* begin = text.value.data() + colon + 1;
    const char* end = text.value.data() + text.value.size();
    const auto [rest, error] = std::from_chars(begin, end, result.port);
    // A name whose last label is a number is a mistyped address. [RFC 1123 2.1]
    std::string_view name = result.host;
    if (name.ends_with('.')) name.remove_suffix(1);
    const std::string_view last = name.substr(name.rfind('.') + 1);
    const bool numeric =
        std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (error != std::errc{} || rest != end || !is_host_name(name) || numeric) {
      return fail_at(text.where, fmt::format("this is no endpoint: {}", kHow));
    }
  }
  if (result.port == 0) {
    return fail_at(text.where, fmt::format("an endpoint needs a port from 1 to 65535: {}", kHow));
  }
  return result;
}

Result<crypto::PublicKey> parse_key(const Text& text, const ParseOptions& options) {
  const auto bytes = array_from_base64<32>(text.value);
  if (!bytes) {
    return fail_at(text.where,
                   "this is no WireGuard public key: it has 44 characters of base64, the last one "
                   "'='; `trellis keys show` on the peer prints it");
  }
  const crypto::PublicKey key{*bytes};
  if (key == crypto::PublicKey{}) return fail_at(text.where, "a key of zeros is nobody's");
  if (options.own_key == key) {
    return fail_at(text.where, "this is our own key: give the peer's");
  }
  return key;
}

Result<Prefix> parse_peer_address(const Text& text, const HostSection& host) {
  const auto prefix = Prefix::parse(text.value);
  const auto as_written = InterfaceAddress::parse(text.value);
  if (!prefix || !as_written) {
    return fail_at(text.where,
                   "this is no address: write it like \"100.64.7.2\" or \"100.64.8.0/24\"");
  }
  if (as_written->address != prefix->address()) {
    return fail_at(text.where,
                   fmt::format("{} has bits beyond its prefix: write {} or {}", text.value,
                               prefix->to_string(), as_written->address.to_string()));
  }
  if (prefix->length() == 0) {
    return fail_at(text.where, "a default route is not for a peer: give its own addresses");
  }
  if (!is_ordinary(prefix->address())) {
    return fail_at(text.where, fmt::format("{} is a special address", prefix->to_string()));
  }
  const bool inside =
      std::any_of(host.addresses.begin(), host.addresses.end(), [&](const InterfaceAddress& own) {
        return own.network().contains(prefix->address()) &&
               prefix->length() >= own.network().length();
      });
  if (!inside) {
    std::vector<std::string> networks;
    networks.reserve(host.addresses.size());
    for (const auto& own : host.addresses) networks.push_back(own.network().to_string());
    return fail_at(text.where, fmt::format("{} is outside of the networks of [host] ({})",
                                           prefix->to_string(), fmt::join(networks, ", ")));
  }
  for (const InterfaceAddress& own : host.addresses) {
    if (!prefix->contains(own.address)) continue;
    return fail_at(text.where, fmt::format("{} is or contains our own address {}",
                                           prefix->to_string(), own.address.to_string()));
  }
  return *prefix;
}

Result<std::string> parse_path(const Text& text, const ParseOptions& options) {
  const bool has_zero = text.value.find('\0') != std::string::npos;
  if (text.value.empty() || text.value.size() > kPathBytesMax || has_zero) {
    return fail_at(text.where, "this is no path of a file: give that of the peer's public key");
  }
  if (text.value.starts_with('/') || options.folder.empty()) return text.value;
  return options.folder + (options.folder.ends_with('/') ? "" : "/") + text.value;
}

/// What must be different from peer to peer, and where it was seen first.
struct Seen {
  std::unordered_map<std::string, toml::source_index> names;
  std::unordered_map<crypto::PublicKey, toml::source_index> keys;
  struct Address {
    Prefix prefix;
    toml::source_region where;
  };
  std::vector<Address> addresses;
};

Result<std::string> parse_peer_name(const Fields& fields, const HostSection& host, Seen& seen) {
  const Text name = TRY(fields.required_text("name", "\"bob\""));
  std::string parsed = TRY(parse_name(name));
  if (ascii_lower(parsed) == ascii_lower(host.name)) {
    return fail_at(name.where, "this is the name of [host]: a peer needs another one");
  }
  const auto [same_name, new_name] = seen.names.emplace(ascii_lower(parsed), name.where.begin.line);
  if (!new_name) {
    return fail_at(name.where,
                   fmt::format("the peer in line {} has this name already", same_name->second));
  }
  return parsed;
}

Result<crypto::PublicKey> parse_peer_key(const Fields& fields, const ParseOptions& options,
                                         Seen& seen) {
  const Text key = TRY(fields.required_text("wireguard_key", "\"(base64)\""));
  const crypto::PublicKey parsed = TRY(parse_key(key, options));
  const auto [same_key, new_key] = seen.keys.emplace(parsed, key.where.begin.line);
  if (!new_key) {
    return fail_at(key.where,
                   fmt::format("the peer in line {} has this key already", same_key->second));
  }
  return parsed;
}

Result<PeerSection> parse_peer(const toml::table& table, const HostSection& host,
                               const ParseOptions& options, Seen& seen) {
  const Fields fields(table, "[[peer]]");
  TRY(fields.allow_only(
      {"name", "wireguard_key", "rosenpass_key", "endpoint", "addresses", "keepalive"}));
  PeerSection peer;
  peer.name = TRY(parse_peer_name(fields, host, seen));
  peer.wireguard_key = TRY(parse_peer_key(fields, options, seen));
  if (const auto path = TRY(fields.text("rosenpass_key", "\"bob.rosenpass.pub\""))) {
    peer.rosenpass_key = TRY(parse_path(*path, options));
  } else if (host.mode == Mode::Strict) {
    return fail_at(fields.where(),
                   fmt::format("{} has no rosenpass_key, so there is no post-quantum key: copy "
                               "the peer's public key file here and name it, or set "
                               "mode = \"permissive\" in [host]",
                               peer.name));
  }
  if (const auto endpoint = TRY(fields.text("endpoint", "\"host.example:51820\""))) {
    peer.endpoint = TRY(parse_endpoint(*endpoint, host));
  }
  if (const auto seconds = TRY(fields.number("keepalive", 0, 65535))) {
    peer.keepalive = std::chrono::seconds(*seconds);
  }
  for (const Text& text : TRY(fields.texts("addresses", "\"100.64.7.2\"", kPeerAddressesMax))) {
    const Prefix prefix = TRY(parse_peer_address(text, host));
    peer.addresses.push_back(prefix);
    seen.addresses.push_back({prefix, text.where});
  }
  return peer;
}

/// Prefixes nest or are apart, so in sorted order an overlap is one between neighbours.
Result<> check_overlaps(std::vector<Seen::Address> addresses) {
  std::sort(addresses.begin(), addresses.end(),
            [](const auto& a, const auto& b) { return a.prefix < b.prefix; });
  for (std::size_t i = 1; i < addresses.size(); ++i) {
    const Seen::Address& a = addresses[i - 1];
    const Seen::Address& b = addresses[i];
    if (!a.prefix.overlaps(b.prefix)) continue;
    const bool a_is_later = a.where.begin > b.where.begin;
    const Seen::Address& first = a_is_later ? b : a;
    const Seen::Address& second = a_is_later ? a : b;
    return fail_at(second.where, fmt::format("{} overlaps {} in line {}: an address is one peer's",
                                             second.prefix.to_string(), first.prefix.to_string(),
                                             first.where.begin.line));
  }
  return {};
}

}  // namespace

Result<> check_underlay(const HostSection& host, const IpAddress& address) {
  if (address.is_unspecified() || address.is_multicast() || address.unmapped() != address) {
    return fail_with(fmt::format("nobody can be reached at {}", address.to_string()));
  }
  for (const InterfaceAddress& own : host.addresses) {
    if (!own.network().contains(address)) continue;
    return fail_with(
        fmt::format("{} is inside the VPN: give the address by which the peer is "
                    "reached from outside",
                    address.to_string()));
  }
  return {};
}

Result<PeersFile> parse_peers_file(std::string_view text, const ParseOptions& options) {
  if (text.size() > kTextBytesMax) {
    return fail_with(fmt::format("line 1, column 1: the file has {} bytes: {} are allowed",
                                 text.size(), kTextBytesMax));
  }
  TRY(guard_toml(text));
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return fail_at(parsed.error().source(), parsed.error().description());
  const toml::table& root = parsed.table();
  const Fields fields(root, "the file");
  TRY(fields.allow_only({"host", "peer"}));

  PeersFile result;
  const toml::node* host = root.get("host");
  if (host == nullptr) {
    return fail_with("line 1, column 1: the file lacks [host]: add it with name and addresses");
  }
  if (!host->is_table()) return fail_at(host->source(), "host must be a table: write [host]");
  result.host = TRY(parse_host(*host->as_table()));

  const toml::node* peers = root.get("peer");
  if (peers == nullptr) return result;
  if (!peers->is_array_of_tables()) {
    return fail_at(peers->source(), "each peer is an entry of an array: write [[peer]]");
  }
  const toml::array& entries = *peers->as_array();
  if (entries.size() > kPeersMax) {
    return fail_at(entries[kPeersMax].source(),
                   fmt::format("more than {} peers are not allowed", kPeersMax));
  }
  Seen seen;
  for (const toml::node& entry : entries) {
    result.peers.push_back(TRY(parse_peer(*entry.as_table(), result.host, options, seen)));
  }
  TRY(check_overlaps(std::move(seen.addresses)));
  return result;
}

Difference diff(const PeersFile& before, const PeersFile& after) {
  Difference result;
  std::unordered_map<std::string_view, const PeerSection*> old_peers;
  for (const PeerSection& peer : before.peers) old_peers.emplace(peer.name, &peer);
  for (const PeerSection& peer : after.peers) {
    const auto node = old_peers.extract(peer.name);
    auto& list = !node ? result.added : *node.mapped() == peer ? result.unchanged : result.changed;
    list.push_back(peer.name);
  }
  for (const PeerSection& peer : before.peers) {
    if (old_peers.contains(peer.name)) result.removed.push_back(peer.name);
  }
  const HostSection& a = before.host;
  const HostSection& b = after.host;
  if (a.name != b.name) result.host.emplace_back("name");
  if (a.interface != b.interface) result.host.emplace_back("interface");
  if (a.addresses != b.addresses) result.host.emplace_back("addresses");
  if (a.listen_port != b.listen_port) result.host.emplace_back("listen_port");
  if (a.mtu != b.mtu) result.host.emplace_back("mtu");
  if (a.mode != b.mode) result.host.emplace_back("mode");
  return result;
}

}  // namespace trellis::netmap
