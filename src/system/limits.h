#pragma once

namespace trellis::system {

/// As many open descriptors as this process may have: each connection needs one.
void raise_descriptor_limit();

/// False where the kernel has no IPv6, and a socket of it cannot be made.
bool host_has_v6();

}  // namespace trellis::system
