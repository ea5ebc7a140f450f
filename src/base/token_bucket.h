#pragma once

#include "base/time.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace trellis {

/// So many a second, and so many at once.
class TokenBucket {
 public:
  TokenBucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  /// All `count` or none.
  bool take(TimePoint now, double count = 1) {
    tokens_ = tokens_at(now);
    filled_at_ = filled_at_ ? std::max(*filled_at_, now) : now;
    if (tokens_ < count) return false;
    tokens_ -= count;
    return true;
  }
  /// What was taken and not used.
  void give_back(double count) { tokens_ = std::min(burst_, tokens_ + count); }
  bool full(TimePoint now) const { return tokens_at(now) >= burst_; }

  /// When `take` succeeds next; `now` if it does now.
  TimePoint next(TimePoint now, double count = 1) const {
    const double missing = count - tokens_at(now);
    if (missing <= 0) return now;
    const std::chrono::duration<double> wait(missing / per_second_);
    // A bit later: rounding must not leave a hair's breadth of a token missing.
    return now + std::chrono::duration_cast<Duration>(wait) + std::chrono::microseconds(1);
  }

 private:
  double tokens_at(TimePoint now) const {
    if (!filled_at_ || now <= *filled_at_) return tokens_;
    const std::chrono::duration<double> passed = now - *filled_at_;
    return std::min(burst_, tokens_ + passed.count() * per_second_);
  }

  double per_second_;
  double burst_;
  double tokens_;
  std::optional<TimePoint> filled_at_;
};

}  // namespace trellis
