#include "node/names/names.h"

#include "base/host_label.h"
#include "node/names/reverse.h"

#include <algorithm>

namespace trellis::names {
namespace {

// Nobody copies our zones, so these only have to be sensible. [RFC 1912 2.2]
constexpr std::uint32_t kRefreshSeconds = 3600;
constexpr std::uint32_t kRetrySeconds = 600;
constexpr std::uint32_t kExpireSeconds = 86400;

bool asks_for(const dns::Question& question, dns::Type type) {
  return question.type == type || question.type == dns::Type::Any;
}

/// To ask us for all there is to know of a name of ours is to be served: without the flag, host(1)
/// and nslookup(1) take the answer for a lame one, and ask the next server.
dns::Response authoritative() {
  return {.authoritative = true, .recursion_available = true, .answers = {}, .authorities = {}};
}

dns::Response refused() { return {.rcode = dns::Rcode::Refused, .answers = {}, .authorities = {}}; }

}  // namespace

Names::Names(const netmap::Map& map)
    : serial_(static_cast<std::uint32_t>(map.serial & 0xffff'ffff)) {
  const auto domain = dns::Name::parse(map.domain);
  if (!domain) return;
  domain_ = *domain;
  for (const InterfaceAddress& own : map.addresses) {
    networks_.push_back(own.network());
    add(map.name, own.address);
  }
  for (const netmap::MapPeer& peer : map.peers) {
    for (const Prefix& address : peer.addresses) add(peer.name, address.address());
  }
  std::ranges::sort(addresses_, {}, [](const auto& entry) { return entry.first; });
}

void Names::add(const std::string& label, const IpAddress& address) {
  const auto name = dns::Name::parse(label + "." + domain_.to_string());
  if (!name) return;
  machines_[ascii_lower(label)].push_back(address);
  addresses_.emplace_back(address, *name);
}

std::optional<ByteVector> Names::answer(ByteView message, dns::Transport transport) const {
  const auto query = dns::parse_query(message);
  if (!query) return query.error().answer;
  dns::Response response;
  if (query->edns && query->edns->version != 0) {
    response.rcode = dns::Rcode::BadVers;
  } else {
    response = resolve(query->question);
  }
  return dns::compose(*query, response, transport);
}

dns::Response Names::resolve(const dns::Question& question) const {
  const bool ours = question.klass == dns::Class::In || question.klass == dns::Class::Any;
  const bool copies = question.type == dns::Type::Axfr || question.type == dns::Type::Ixfr;
  if (!ours || copies || networks_.empty()) return refused();
  if (question.name.is_within(domain_)) return resolve_machine(question);
  const auto asked = prefix_of(question.name);
  const Prefix* network = asked ? network_of(*asked) : nullptr;
  return network != nullptr ? resolve_address(question, *asked, *network) : refused();
}

dns::Response Names::resolve_machine(const dns::Question& question) const {
  dns::Response response = authoritative();
  const auto labels = question.name.labels();
  const std::size_t below = labels.size() - domain_.labels().size();
  const auto machine = below == 1 ? machines_.find(ascii_lower(labels.front())) : machines_.end();
  if (machine != machines_.end()) {
    for (const IpAddress& address : machine->second) {
      if (!asks_for(question, address.is_v4() ? dns::Type::A : dns::Type::Aaaa)) continue;
      response.answers.push_back(dns::address_record(question.name, kTtlSeconds, address));
    }
  } else if (below > 0) {
    response.rcode = dns::Rcode::NxDomain;
  }
  add_authority(response, question, domain_);
  return response;
}

dns::Response Names::resolve_address(const dns::Question& question, const Prefix& asked,
                                     const Prefix& network) const {
  dns::Response response = authoritative();
  const auto first = std::ranges::lower_bound(addresses_, asked.address(), {},
                                              [](const auto& entry) { return entry.first; });
  const bool exists = first != addresses_.end() && asked.contains(first->first);
  const bool whole = asked.length() == asked.address().bits();
  const dns::Name zone = reverse_zone(question.name, network);
  if (exists && whole && asks_for(question, dns::Type::Ptr)) {
    response.answers.push_back(dns::pointer_record(question.name, kTtlSeconds, first->second));
  } else if (!exists && !(question.name == zone)) {
    response.rcode = dns::Rcode::NxDomain;
  }
  add_authority(response, question, zone);
  return response;
}

const Prefix* Names::network_of(const Prefix& asked) const {
  const auto it = std::ranges::find_if(networks_, [&](const Prefix& network) {
    return asked.length() >= network.length() && network.contains(asked.address());
  });
  return it == networks_.end() ? nullptr : &*it;
}

dns::Record Names::authority(const dns::Name& zone) const {
  const auto keeper = dns::Name::parse("hostmaster." + domain_.to_string());
  return dns::authority_record(zone, kNegativeTtlSeconds,
                               {.primary = domain_,
                                .responsible = keeper ? *keeper : domain_,
                                .serial = serial_,
                                .refresh_seconds = kRefreshSeconds,
                                .retry_seconds = kRetrySeconds,
                                .expire_seconds = kExpireSeconds,
                                .negative_ttl_seconds = kNegativeTtlSeconds});
}

void Names::add_authority(dns::Response& response, const dns::Question& question,
                          const dns::Name& zone) const {
  if (question.name == zone && asks_for(question, dns::Type::Soa)) {
    response.answers.push_back(authority(zone));
  } else if (response.answers.empty()) {
    response.authorities.push_back(authority(zone));  // says how long "none" holds [RFC 2308 2]
  }
}

}  // namespace trellis::names
