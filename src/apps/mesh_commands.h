#pragma once

#include "apps/agent_starter.h"
#include "apps/key_commands.h"
#include "apps/mesh_request.h"
#include "base/result.h"

#include <string>

namespace trellis::apps {

// `trellis up`, `down` and `logout`. What they return goes to standard output. They ask the agent
// by
//
//   {"command": "up", "server": URL?, "setup_key": TEXT?, "hostname": NAME?,
//    "mode": "strict"|"permissive"?}         answered at once; how far it is, status tells
//   {"command": "down"}
//   {"command": "logout", "force": bool}     answered at once; status: network "down" when done

/// Starts the agent if need be, joins or goes up again; shows the steps on standard error (but for
/// Form::Json), and returns when the network map is in force. The agent goes on trying when this
/// gives up.
Result<std::string> go_up(const AgentPlace& place, const MeshRequest& request, Form form);

/// Closes the tunnel. The agent stays and keeps all it has.
Result<std::string> go_down(const AgentPlace& place);

/// Has the server forget this host and the agent the network; with `force` also when the server is
/// not reached.
Result<std::string> log_out(const AgentPlace& place, const MeshRequest& request);

}  // namespace trellis::apps
