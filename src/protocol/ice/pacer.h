#pragma once

#include "base/time.h"

#include <algorithm>

namespace trellis::ice {

/// Lets `burst` through at once, then one in each interval.
class Pacer {
 public:
  Pacer(int burst, Duration interval) : interval_(interval), reserve_((burst - 1) * interval) {}

  TimePoint next() const { return free_at_ - reserve_; }
  bool take(TimePoint now) {
    if (now < next()) return false;
    free_at_ = std::max(free_at_, now) + interval_;
    return true;
  }

 private:
  Duration interval_;
  Duration reserve_;
  TimePoint free_at_{};
};

}  // namespace trellis::ice
