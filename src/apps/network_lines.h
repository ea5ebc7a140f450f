#pragma once

#include "apps/answer.h"

#include <string>
#include <vector>

namespace trellis::apps {

// What `trellis status` says of the mesh: the object "network" of a status. A pair from a file has
// none.
//
//   "network": {"state": "down"|"connecting"|"logging in"|"syncing"|"up"|"refused"|"offline",
//     "name", "domain", "serial", "error",
//     "server": {"url", "state", "since_seconds", "error", "tls", "next_try_seconds"},
//     "signal": {"state", "since_seconds", "error"},
//     "keys": {"upload": TRANSFER|null, "fetches": [TRANSFER]},
//     "steps": [{"name", "state": "done"|"running"|"failed", "milliseconds", "detail"}]}
//
// with a TRANSFER {"key", "bytes", "total", "error"}, and of each peer "path": {"kind", "address",
// "rtt_milliseconds"} and "fqdn".

/// Whether the host belongs to a network with a server, or could; else its peers are from a file.
bool is_in_mesh(const JsonValue& status);

/// Whether a network map is in force.
bool is_up(const JsonValue& status);

/// Lines about the network, the server and signal, each with its end; nothing without a network.
std::string network_lines(const JsonValue& status);

/// Public keys on their way: "ours to the server 12 %; 3 of peers from there, 40 %", and the first
/// error; nothing if none is.
std::vector<std::string> transfer_texts(const JsonValue& network);

/// How a peer is reached: "direct 192.0.2.2:51820, 0.4 ms", or "-".
std::string path_text(const JsonValue& peer);

}  // namespace trellis::apps
