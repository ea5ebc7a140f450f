#pragma once

#include "base/result.h"

#include <string>

namespace trellis::apps {

/// Where the agent keeps its things, and how it is talked to.
struct AgentPlace {
  std::string state_folder;
  std::string socket;
};

/// Starts trellisd if nobody listens on its socket: by systemd if that runs it and the places are
/// the usual ones, else the program beside this one or in $PATH, which goes to the background and
/// logs to trellisd.log beside its socket. Returns when the agent answers. Does nothing if one
/// runs.
Result<> ensure_agent(const AgentPlace& place);

}  // namespace trellis::apps
