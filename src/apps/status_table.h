#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace trellis::apps {

// What `trellis` makes of an answer of the control socket, which is one line of JSON (see
// node/agent/control.h). Each fails on the agent's own error, and on an answer that is none.

/// Whether a command without a result was done.
Result<> check_answer(std::string_view answer);

/// The object "status", indented.
Result<std::string> status_json(std::string_view answer);
/// For people: a line about this host, a table of its peers, below each what it lacks, and
/// warnings.
Result<std::string> status_table(std::string_view answer);

/// Name, addresses and post-quantum state of each peer.
Result<std::string> peers_json(std::string_view answer);
Result<std::string> peers_table(std::string_view answer);

}  // namespace trellis::apps
