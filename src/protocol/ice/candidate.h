#pragma once

#include "base/address.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::ice {

constexpr std::size_t kCandidateLineMax = 512;  // bytes

/// How an address came to be known. [RFC 8445 4]
enum class CandidateType : std::uint8_t {
  Host,             // of an interface
  ServerReflexive,  // as a STUN server sees it
  PeerReflexive,    // as the peer sees it, found by a check
  Relayed,          // of a relay
};
/// "host", "srflx", "prflx", "relay".
std::string_view to_string(CandidateType type);

/// An address at which an agent may perhaps be reached by UDP. [RFC 8445 5.3]
struct Candidate {
  std::string foundation;
  std::uint32_t priority = 0;
  Endpoint endpoint;
  CandidateType type = CandidateType::Host;
  std::optional<Endpoint> related;  // what it was derived from, where that is told

  /// "FOUNDATION 1 udp PRIORITY ADDRESS PORT typ TYPE [raddr ADDRESS rport PORT]", without the
  /// prefix "candidate:", as NetBird sends it. [RFC 8839 5.1]
  std::string to_string() const;
  friend bool operator==(const Candidate&, const Candidate&) = default;
};

enum class CandidateError {
  Syntax,       // not a candidate line, or a longer one than we read
  NotUdp,       // another transport, or another component than the first
  NotAnAddress  // a host name, or an address that we do not know
};

/// Reads a line as `to_string` writes it; tolerates the prefix "candidate:" (or "a=candidate:") and
/// ignores words that it does not know. Whether the address is one to be tried is not looked at.
Expected<Candidate, CandidateError> parse_candidate(std::string_view line);

/// Those lines that are candidates for us; the others are left out.
std::vector<Candidate> parse_candidates(std::span<const std::string> lines);

/// Host candidates for the addresses of this host, best first: IPv6 and IPv4 in turn, each family
/// in the order given. [RFC 8421 4]
std::vector<Candidate> host_candidates(std::span<const Endpoint> endpoints);

}  // namespace trellis::ice
