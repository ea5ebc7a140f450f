#pragma once

#include "base/result.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

namespace trellis::system {

/// The address of a Unix socket. Fails if the path is longer than the kernel takes (107 bytes).
Result<sockaddr_un> unix_address(const std::string& path);

}  // namespace trellis::system
