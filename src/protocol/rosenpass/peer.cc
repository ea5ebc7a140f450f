#include "protocol/rosenpass/peer.h"

#include <algorithm>

namespace trellis::rosenpass {

Duration repeat_delay(const Peer& peer, TimePoint now, int repeats) {
  const bool eager = now - peer.trying_since < kEagerFor || peer.path_answers(now);
  const Duration most = eager ? kRetryMostAtFirst : kRetryMost;
  int doublings = repeats;
  // An InitConf that stays unanswered again and again may be waited for too briefly: a long path.
  if (peer.state() == ExchangeState::Conf) doublings += std::clamp(peer.unanswered_confs - 1, 0, 3);
  return std::min(most, kRetryFirst * (1 << std::min(doublings, 8)));
}

}  // namespace trellis::rosenpass
