#pragma once

#include "server/gateway/state.h"

#include <string>
#include <string_view>

namespace trellis::server {

/// Answers one request of the administration. A request is one line of JSON:
///
///   {"command": "status"}
///   {"command": "setup-key list"}
///   {"command": "peer list"}
///   {"command": "setup-key create", "name": TEXT, "reusable": BOOL, "limit": N,
///    "expires_seconds": N, "ephemeral": BOOL}                   all but the command may be absent
///   {"command": "setup-key revoke", "id": ID}
///   {"command": "peer remove", "peer": NAME}                    or an address, or a WireGuard key
///   {"command": "peer rename", "peer": NAME, "name": NEW}
///   {"command": "peer trust", "peer": NAME}                     accept its changed Rosenpass key
///
/// All below the first three need `may_change`. The answer is {"ok": true, ...} or {"ok": false,
/// "error": "..."}; of "create" {"id": ..., "setup_key": TEXT}: the only time that the text is
/// shown. Never fails on input.
std::string administer(Gateway::State& state, TimePoint now, bool may_change,
                       std::string_view request);

}  // namespace trellis::server
