#pragma once

#include "base/random.h"
#include "base/time.h"

namespace trellis::uplink {

/// How long to wait before the next attempt: longer each time, and never the same for all agents
/// that lost the same server.
class BackOff {
 public:
  struct Steps {
    Duration first;
    Duration max;
    double factor = 1.7;
  };
  explicit BackOff(Steps steps) : steps_(steps), next_(steps.first) {}

  /// Of this attempt, with jitter U(0.7, 1.3); the next one waits longer.
  Duration next(Random& random);
  void reset() { next_ = steps_.first; }

 private:
  Steps steps_;
  Duration next_;
};

}  // namespace trellis::uplink
