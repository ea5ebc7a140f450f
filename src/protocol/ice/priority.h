#pragma once

#include "protocol/ice/candidate.h"

#include <cstdint>
#include <string>

namespace trellis::ice {

enum class Role : std::uint8_t { Controlling, Controlled };

/// 126, 110, 100, 0. [RFC 8445 5.1.2.2]
std::uint32_t type_preference(CandidateType type);

/// Of component 1. `local_preference`: 65535 is best. [RFC 8445 5.1.2.1]
std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference);

/// Of our sockets, of which each family has one: IPv6 before IPv4.
std::uint16_t socket_preference(IpAddress::Family family);

/// Of a pair; both ends come to the same. [RFC 8445 6.1.2.3]
std::uint64_t pair_priority(Role own_role, std::uint32_t own, std::uint32_t peers);

/// Equal for candidates of one type, base and transport: a number, as text. [RFC 8445 5.1.1.3]
std::string foundation_of(CandidateType type, const IpAddress& base);

}  // namespace trellis::ice
