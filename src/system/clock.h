#pragma once

#include "base/time.h"

namespace trellis::system {

/// CLOCK_BOOTTIME, which counts time asleep. [pair rule 8]
TimePoint boot_now();

/// CLOCK_REALTIME, which may jump.
WallTime wall_now();

}  // namespace trellis::system
