#include "protocol/rosenpass/peer.h"

#include <algorithm>

namespace trellis::rosenpass {

Duration repeat_delay(const Peer& peer, TimePoint now, int repeats) {
  if (peer.state() == ExchangeState::Conf) {
    return kRetryFirst * (1 << std::min(peer.patience, kPatienceMost));
  }
  const Duration tried = now - peer.trying_since;
  Duration most = kRetryMost;
  if (tried < kEagerFor || peer.path_answers(now)) most = kRetryMostWhileEager;
  if (tried < kAtFirst) most = kRetryMostAtFirst;
  return std::min(most, kRetryFirst * (1 << std::min(repeats, 8)));
}

}  // namespace trellis::rosenpass
