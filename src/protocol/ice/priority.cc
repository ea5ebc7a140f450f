#include "protocol/ice/priority.h"

#include "protocol/stun/crc32.h"

#include <algorithm>

namespace trellis::ice {

std::uint32_t type_preference(CandidateType type) {
  switch (type) {
    case CandidateType::Host:
      return 126;
    case CandidateType::PeerReflexive:
      return 110;
    case CandidateType::ServerReflexive:
      return 100;
    case CandidateType::Relayed:
      return 0;
  }
  return 0;
}

std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference) {
  constexpr std::uint32_t kComponent = 1;
  return type_preference(type) << 24 | std::uint32_t{local_preference} << 8 | (256 - kComponent);
}

std::uint16_t socket_preference(IpAddress::Family family) {
  return family == IpAddress::Family::V6 ? 65535 : 65534;
}

std::uint64_t pair_priority(Role own_role, std::uint32_t own, std::uint32_t peers) {
  const std::uint64_t controlling = own_role == Role::Controlling ? own : peers;
  const std::uint64_t controlled = own_role == Role::Controlling ? peers : own;
  return (std::min(controlling, controlled) << 32) + 2 * std::max(controlling, controlled) +
         (controlling > controlled ? 1 : 0);
}

std::string foundation_of(CandidateType type, const IpAddress& base) {
  return std::to_string(stun::crc32({as_bytes(to_string(type)), base.bytes()}));
}

}  // namespace trellis::ice
