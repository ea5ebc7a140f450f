#pragma once

#include "base/result.h"

#include <string>

namespace trellis::system {

/// Moves this thread into another network namespace: sockets and interfaces that it makes from now
/// on are born there; those that it has stay where they are. `name` is one of `ip netns list`, or,
/// with a '/' in it, a path such as /proc/PID/ns/net. Needs root.
Result<> enter_network_namespace(const std::string& name);

}  // namespace trellis::system
