#pragma once

#include "base/result.h"

#include <string>

namespace trellis::system {

/// Makes an interface of the kernel's WireGuard. False if the kernel has none. Fails without
/// CAP_NET_ADMIN, or if there is an interface of that name.
Result<bool> add_wireguard_link(const std::string& name);

}  // namespace trellis::system
