#include "protocol/ice/candidate.h"

#include "protocol/ice/priority.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace trellis::ice {
namespace {

constexpr std::array kTypes = {CandidateType::Host, CandidateType::ServerReflexive,
                               CandidateType::PeerReflexive, CandidateType::Relayed};
constexpr std::size_t kFoundationMax = 32;

/// The words of a line, one after the other; empty at its end.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  std::string_view next() {
    constexpr std::string_view kSpace = " \t\r\n";
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpace), rest_.size()));
    const std::string_view word = rest_.substr(0, rest_.find_first_of(kSpace));
    rest_.remove_prefix(word.size());
    return word;
  }

 private:
  std::string_view rest_;
};

bool is_ice_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

bool is_foundation(std::string_view word) {
  return !word.empty() && word.size() <= kFoundationMax && std::ranges::all_of(word, is_ice_char);
}

template <class T>
std::optional<T> number_of(std::string_view word) {
  T value{};
  const char* const end = word.data() + word.size();
  const auto read = std::from_chars(word.data(), end, value);
  if (word.empty() || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return value;
}

bool equal_ignoring_case(std::string_view word, std::string_view lower) {
  return std::ranges::equal(word, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

std::optional<CandidateType> type_of(std::string_view word) {
  for (const CandidateType type : kTypes) {
    if (equal_ignoring_case(word, to_string(type))) return type;
  }
  return std::nullopt;
}

std::string_view without_prefix(std::string_view line) {
  for (const std::string_view prefix : {"a=", "candidate:"}) {
    if (line.starts_with(prefix)) line.remove_prefix(prefix.size());
  }
  return line;
}

/// Pairs of words after the type: "raddr ADDRESS rport PORT"; others are skipped.
std::optional<Endpoint> read_related(Words& words) {
  std::optional<IpAddress> address;
  std::optional<std::uint16_t> port;
  for (auto key = words.next(); !key.empty(); key = words.next()) {
    const std::string_view value = words.next();
    if (equal_ignoring_case(key, "raddr")) address = IpAddress::parse(value);
    if (equal_ignoring_case(key, "rport")) port = number_of<std::uint16_t>(value);
  }
  if (!address || !port) return std::nullopt;
  return Endpoint{*address, *port};
}

}  // namespace

std::string_view to_string(CandidateType type) {
  switch (type) {
    case CandidateType::Host:
      return "host";
    case CandidateType::ServerReflexive:
      return "srflx";
    case CandidateType::PeerReflexive:
      return "prflx";
    case CandidateType::Relayed:
      return "relay";
  }
  return "";
}

std::string Candidate::to_string() const {
  std::string line = foundation + " 1 udp " + std::to_string(priority) + " " +
                     endpoint.address.to_string() + " " + std::to_string(endpoint.port) + " typ " +
                     std::string(ice::to_string(type));
  if (related) {
    line += " raddr " + related->address.to_string() + " rport " + std::to_string(related->port);
  }
  return line;
}

Expected<Candidate, CandidateError> parse_candidate(std::string_view line) {
  if (line.size() > kCandidateLineMax) return fail(CandidateError::Syntax);
  Words words(without_prefix(line));
  Candidate candidate;
  const std::string_view foundation = words.next();
  const auto component = number_of<std::uint16_t>(words.next());
  const std::string_view transport = words.next();
  const auto priority = number_of<std::uint32_t>(words.next());
  const std::string_view address_word = words.next();
  const auto port = number_of<std::uint16_t>(words.next());
  const bool has_type = equal_ignoring_case(words.next(), "typ");
  const auto type = type_of(words.next());
  const bool is_candidate =
      is_foundation(foundation) && component && priority && port && has_type && type;
  if (!is_candidate) return fail(CandidateError::Syntax);
  if (*component != 1 || !equal_ignoring_case(transport, "udp")) {
    return fail(CandidateError::NotUdp);
  }
  const auto address = IpAddress::parse(address_word);
  if (!address) return fail(CandidateError::NotAnAddress);
  candidate.foundation = foundation;
  candidate.priority = *priority;
  candidate.endpoint = {address->unmapped(), *port};
  candidate.type = *type;
  candidate.related = read_related(words);
  return candidate;
}

std::vector<Candidate> parse_candidates(std::span<const std::string> lines) {
  std::vector<Candidate> candidates;
  for (const std::string& line : lines) {
    if (auto candidate = parse_candidate(line)) candidates.push_back(*std::move(candidate));
  }
  return candidates;
}

std::vector<Candidate> host_candidates(std::span<const Endpoint> endpoints) {
  std::array<std::vector<Endpoint>, 2> families;  // IPv6, IPv4
  for (const Endpoint& endpoint : endpoints) {
    families[endpoint.address.is_v4() ? 1 : 0].push_back(endpoint);
  }
  std::vector<Candidate> candidates;
  std::uint16_t preference = std::numeric_limits<std::uint16_t>::max();
  for (std::size_t i = 0; candidates.size() < endpoints.size() && preference > 0; ++i) {
    for (const auto& family : families) {
      if (i >= family.size()) continue;
      const auto type = CandidateType::Host;
      candidates.push_back({.foundation = foundation_of(type, family[i].address),
                            .priority = candidate_priority(type, preference--),
                            .endpoint = family[i],
                            .type = type,
                            .related = std::nullopt});
    }
  }
  return candidates;
}

}  // namespace trellis::ice
