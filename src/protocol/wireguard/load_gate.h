#pragma once

#include "base/source_budget.h"
#include "base/token_bucket.h"

#include <cstdint>
#include <optional>

namespace trellis::wireguard {

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
  bool loaded(TimePoint now) const { return loaded_until_ && now < *loaded_until_; }
  /// Whether a cookie may be sent. Addresses of `known` peers have a share of their own: strangers
  /// do not keep a tunnel from its next handshake unless they know where its other end is.
  bool has_cookie(TimePoint now, bool known) const { return cookies(known).next(now) <= now; }
  bool may_send_cookie(TimePoint now, bool known) { return cookies(known).take(now); }
  /// Under load, with a right cookie: whether this address has not had its share yet.
  bool may_serve(TimePoint now, const IpAddress& source) { return sources_.take(now, source); }
  /// In any case: whether there is time for one more.
  bool may_work(TimePoint now) { return work_.take(now); }

 private:
  static constexpr double kPerSource = 20;
  static constexpr double kPerSourceBurst = 5;
  static constexpr std::size_t kSourcesMax = 4096;
  static constexpr Duration kLoadLasts = 1s;

  TokenBucket arrivals_;
  TokenBucket work_;
  const TokenBucket& cookies(bool known) const { return known ? known_cookies_ : cookies_; }
  TokenBucket& cookies(bool known) { return known ? known_cookies_ : cookies_; }

  TokenBucket cookies_;
  TokenBucket known_cookies_;
  std::optional<TimePoint> loaded_until_;
  SourceBudget sources_{kPerSource, kPerSourceBurst, kSourcesMax};
};

}  // namespace trellis::wireguard
