#include "node/netmap/map_rules.h"

#include "protocol/control/management.pb.h"
#include "protocol/control/message.h"

#include <algorithm>
#include <optional>

namespace trellis::netmap {
namespace {

using wire::management::FirewallRule;

/// So many prefixes between one address and everybody are told apart; further ones cover everybody
/// if they forbid, and nobody if they permit.
constexpr std::size_t kPrefixesMax = 64;

Prefix everybody_v4() { return {IpAddress(), 0}; }

/// Address and one byte of prefix length. [netbird-wire 2.8]
std::optional<Prefix> read_prefix(ByteView bytes) {
  if (bytes.size() != 5 && bytes.size() != 17) return std::nullopt;
  const IpAddress address = IpAddress::from_bytes(bytes.first(bytes.size() - 1));
  const auto length = std::to_integer<std::uint8_t>(bytes.back());
  if (length > address.bits()) return std::nullopt;
  return Prefix(address, length);
}

std::optional<Prefix> read_peer_ip(const std::string& text) {
  const auto address = IpAddress::parse(text);
  if (!address) return std::nullopt;
  return address->is_unspecified() ? everybody_v4() : Prefix::host(*address);
}

/// Whom the rule covers, in the order in which a stock client looks for it.
std::vector<std::optional<Prefix>> covered(const FirewallRule& rule) {
  std::vector<std::optional<Prefix>> result;
  for (const std::string& prefix : rule.source_prefixes()) {
    result.push_back(read_prefix(control::field_bytes(prefix)));
  }
  if (!rule.peer_ip().empty() || result.empty()) result.push_back(read_peer_ip(rule.peer_ip()));
  return result;
}

bool lets_everything_in(const FirewallRule& rule) {
  return rule.action() == wire::management::ACCEPT && rule.direction() == FirewallRule::IN &&
         rule.protocol() == wire::management::ALL && rule.port().empty() && !rule.has_port_info();
}

}  // namespace

void Rules::Cover::add(const Prefix& prefix) {
  if (prefix.length() == 0) {
    everybody = true;  // of both families: rules are about machines
  } else if (prefix.length() == prefix.address().bits()) {
    addresses.insert(prefix.address());
  } else if (std::ranges::find(prefixes, prefix) == prefixes.end()) {
    prefixes.push_back(prefix);
  }
}

bool Rules::Cover::contains(const IpAddress& address) const {
  return everybody || addresses.contains(address) ||
         std::ranges::any_of(prefixes, [&](const Prefix& p) { return p.contains(address); });
}

void Rules::add(const FirewallRule& rule) {
  // A permission holds for the first one named, as stock clients read it; a prohibition for all,
  // and for everybody if we do not understand whom it means.
  const bool permits = rule.action() == wire::management::ACCEPT;
  Cover& cover = lets_everything_in(rule) ? opens_ : permits ? partial_ : dropped_;
  for (const std::optional<Prefix>& prefix : covered(rule)) {
    const bool understood = prefix && cover.prefixes.size() < kPrefixesMax;
    if (understood) cover.add(*prefix);
    if (!understood && !permits) cover.add(everybody_v4());
    if (permits) return;
  }
}

Result<Rules> Rules::read(const wire::management::NetworkMap& map, MapSource source) {
  Rules rules;
  for (const FirewallRule& rule : map.firewall_rules()) rules.add(rule);
  if (!map.firewall_rules().empty() || map.firewall_rules_is_empty()) return rules;
  if (source == MapSource::Trellis) {
    return fail_with(
        "the server's map has no rules, and does not say that nothing is allowed: it "
        "is not used");
  }
  rules.opens_.everybody = true;
  return rules;
}

Rules::Verdict Rules::verdict(const IpAddress& address) const {
  if (dropped_.contains(address)) return Verdict::Partial;
  if (opens_.contains(address)) return Verdict::Open;
  return partial_.contains(address) ? Verdict::Partial : Verdict::Closed;
}

}  // namespace trellis::netmap
