#pragma once

#include <string>

namespace trellis::system {

/// What this machine calls itself, up to the first dot. Empty if the kernel does not say.
std::string host_name();

}  // namespace trellis::system
