#pragma once

#include "base/random.h"
#include "base/result.h"
#include "protocol/wireguard/ids.h"

#include <unordered_map>

namespace trellis::wireguard {

class Peer;

/// Whose an index in a message to us is: the peer's whose session or running handshake has it.
class IndexTable {
 public:
  /// A random index that is free.
  SessionIndex assign(Peer& peer, Random& random) {
    SessionIndex index{random.u32()};
    while (!peers_.try_emplace(index, &peer).second) index = SessionIndex{random.u32()};
    return index;
  }

  void release(SessionIndex index) { CHECK(peers_.erase(index) == 1); }

  Peer* find(SessionIndex index) const {
    const auto found = peers_.find(index);
    return found == peers_.end() ? nullptr : found->second;
  }

  std::size_t size() const { return peers_.size(); }

 private:
  std::unordered_map<SessionIndex, Peer*> peers_;
};

}  // namespace trellis::wireguard
