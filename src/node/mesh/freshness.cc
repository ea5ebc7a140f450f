#include "node/mesh/freshness.h"

#include <algorithm>

namespace trellis::mesh {

Freshness::Verdict Freshness::take(const Bytes<16>& instance, std::uint32_t sequence) {
  const auto it = std::find_if(starts_.begin(), starts_.end(),
                               [&](const Start& start) { return start.instance == instance; });
  if (it == starts_.end()) {
    starts_.push_front({instance, sequence});
    if (starts_.size() > kInstancesMax) starts_.pop_back();
    return Verdict::Restarted;
  }
  if (it != starts_.begin() || sequence <= it->sequence) return Verdict::Stale;
  it->sequence = sequence;
  return Verdict::Next;
}

}  // namespace trellis::mesh
