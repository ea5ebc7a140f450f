#pragma once

#include "base/address.h"
#include "base/time.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace trellis::wireguard {

/// So many a second, and so many at once.
class TokenBucket {
 public:
  TokenBucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  bool take(TimePoint now) {
    tokens_ = tokens_at(now);
    filled_at_ = filled_at_ ? std::max(*filled_at_, now) : now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  bool full(TimePoint now) const { return tokens_at(now) >= burst_; }

 private:
  double tokens_at(TimePoint now) const;

  double per_second_;
  double burst_;
  double tokens_;
  std::optional<TimePoint> filled_at_;
};

/// Bounds the work that initiations cause: a right mac1 needs only our public key. [WG 5.3, pair
/// rule 13]
///
/// Above half of what we work on we are under load: senders must show by a cookie that they are
/// where they say, and each address gets its share only.
class LoadGate {
 public:
  explicit LoadGate(std::uint32_t handshakes_per_second);

  /// An initiation with a right mac1 came. True if we are under load.
  bool note_arrival(TimePoint now);
  bool may_send_cookie(TimePoint now) { return cookies_.take(now); }
  /// Under load, with a right cookie: whether this address has not had its share yet.
  bool may_serve(TimePoint now, const IpAddress& source);
  /// In any case: whether there is time for one more.
  bool may_work(TimePoint now) { return work_.take(now); }

 private:
  static constexpr double kPerSource = 20;
  static constexpr double kPerSourceBurst = 5;
  static constexpr std::size_t kSourcesMax = 4096;
  static constexpr Duration kLoadLasts = 1s;

  TokenBucket arrivals_;
  TokenBucket work_;
  TokenBucket cookies_;
  std::optional<TimePoint> loaded_until_;
  std::unordered_map<IpAddress, TokenBucket> sources_;
};

}  // namespace trellis::wireguard
