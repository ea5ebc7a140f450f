#include "protocol/grpc/pings.h"

#include <algorithm>

namespace trellis::grpc {

bool SentPings::add(PingPurpose purpose, std::uint64_t opaque) {
  const auto same = std::count_if(sent_.begin(), sent_.end(),
                                  [&](const Sent& sent) { return sent.purpose == purpose; });
  const std::size_t most = purpose == PingPurpose::Owner ? kOwnerMax : 1;
  if (static_cast<std::size_t>(same) >= most) return false;
  sent_.push_back({purpose, opaque});
  return true;
}

std::optional<PingPurpose> SentPings::take(std::uint64_t opaque) {
  const auto found = std::find_if(sent_.begin(), sent_.end(),
                                  [&](const Sent& sent) { return sent.opaque == opaque; });
  if (found == sent_.end()) return std::nullopt;
  const PingPurpose purpose = found->purpose;
  sent_.erase(found);
  if (sent_.empty()) sent_.shrink_to_fit();
  return purpose;
}

}  // namespace trellis::grpc
