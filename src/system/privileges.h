#pragma once

#include "base/result.h"

#include <span>

namespace trellis::system {

/// Of all that root may do, keeps the capabilities named (CAP_NET_ADMIN and so on; those it has),
/// for good: neither this thread nor a program that it starts gets others back. The user stays, and
/// with it the files that it owns. Call while there is one thread; without capabilities it is no
/// error.
Result<> keep_capabilities(std::span<const int> kept);

}  // namespace trellis::system
