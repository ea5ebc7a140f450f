#include "node/uplink/back_off.h"

#include <algorithm>

namespace trellis::uplink {

namespace {

Duration scaled(Duration duration, double factor) {
  return std::chrono::duration_cast<Duration>(duration * factor);
}

}  // namespace

Duration BackOff::next(Random& random) {
  const Duration base = next_;
  next_ = std::min(scaled(next_, steps_.factor), steps_.max);
  return scaled(base, 0.7 + 0.6 * random.unit());
}

}  // namespace trellis::uplink
