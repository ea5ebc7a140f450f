#pragma once

#include "apps/answer.h"
#include "apps/key_commands.h"
#include "apps/mesh_request.h"
#include "base/address.h"
#include "base/result.h"

#include <string>

namespace trellis::apps {

// `trellis ping`.

struct PingTarget {
  std::string name;
  IpAddress address;
};

/// Finds a peer in a status by its name, its full name or one of its addresses. `v6`: take its IPv6
/// address. An error says what may have been meant.
Result<PingTarget> find_ping_target(const JsonValue& status, const std::string& peer, bool v6);

/// "bob 100.64.3.4: 1.42 ms, direct 192.0.2.2:51820, post-quantum". `status`: taken after the
/// answer.
std::string ping_line(const PingTarget& target, const JsonValue& status, double milliseconds);

/// Sends pings through the tunnel and prints an answer as it comes. Fails if none came.
Result<> ping_peer(const std::string& socket, const MeshRequest& request, Form form);

}  // namespace trellis::apps
