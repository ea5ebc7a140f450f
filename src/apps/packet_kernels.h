#pragma once

#include "base/result.h"

namespace trellis::apps {

/// Which instructions packets are sealed with: those that TRELLIS_PACKET_KERNELS names in the
/// environment, else the fastest. Logs them. Fails if this processor does not have them.
Result<> choose_packet_kernels();

}  // namespace trellis::apps
