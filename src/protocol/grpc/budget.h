#pragma once

#include "base/time.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace trellis::grpc {

/// So many at once, and so many again every `period`.
class Budget {
 public:
  Budget(std::uint32_t count, Duration period)
      : full_(period), cost_(period / std::max<std::uint32_t>(count, 1)), left_(full_) {}

  /// False: used up.
  bool take(TimePoint now) {
    if (last_ && now > *last_) left_ = std::min(full_, left_ + (now - *last_));
    last_ = now;
    if (left_ < cost_) return false;
    left_ -= cost_;
    return true;
  }

 private:
  Duration full_;
  Duration cost_;
  Duration left_;
  std::optional<TimePoint> last_;
};

}  // namespace trellis::grpc
