#pragma once

#include "base/time.h"
#include "crypto/keys.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace trellis::mesh {

/// When something is due for each peer. Finding the next one does not cost more with more peers.
class Schedule {
 public:
  void set(const crypto::PublicKey& peer, TimePoint at) {
    clear(peer);
    at_[peer] = at;
    order_.emplace(at, peer);
  }
  void clear(const crypto::PublicKey& peer) {
    const auto it = at_.find(peer);
    if (it == at_.end()) return;
    order_.erase({it->second, peer});
    at_.erase(it);
  }
  std::optional<TimePoint> next() const {
    return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
  }
  /// The first that is due, and not any more after this.
  std::optional<crypto::PublicKey> pop_due(TimePoint now) {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    const crypto::PublicKey peer = order_.begin()->second;
    clear(peer);
    return peer;
  }

 private:
  std::map<crypto::PublicKey, TimePoint> at_;
  std::set<std::pair<TimePoint, crypto::PublicKey>> order_;
};

}  // namespace trellis::mesh
