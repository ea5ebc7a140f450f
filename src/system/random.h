#pragma once

#include "base/random.h"

namespace trellis::system {

/// The kernel's generator. Waits, at boot only, until it is seeded; never yields less than was
/// asked for. Thread safe, without state.
class SystemRandom final : public Random {
 public:
  void fill(MutableByteView target) override;
};

}  // namespace trellis::system
