#pragma once

#include "apps/completion.h"
#include "apps/key_commands.h"
#include "apps/mesh_request.h"
#include "apps/server_request.h"

#include <memory>
#include <string>

namespace CLI {  // NOLINT(readability-identifier-naming): the name of CLI11
class App;
}

namespace trellis::apps {

constexpr const char* kStateFolder = "/var/lib/trellis";
constexpr const char* kControlSocket = "/run/trellis/trellisd.sock";

/// What `trellis` was asked for.
struct TrellisRequest {
  enum class Command {
    None,
    Up,
    Down,
    Logout,
    Ping,
    KeysNew,
    KeysShow,
    KeysExport,
    Status,
    Peers,
    PeersTrust,
    Reload,
    Server,
    Completion,
    Version,
  };
  Command command = Command::None;
  Form form = Form::Text;
  std::string state_folder = kStateFolder;
  std::string socket = kControlSocket;
  std::string peer;
  std::string target;
  std::string shell;
  MeshRequest mesh;
  ServerRequest server;
};

/// The command line of `trellis`; parsing fills `request`, which must outlive the result.
std::unique_ptr<CLI::App> trellis_command_line(TrellisRequest& request);

}  // namespace trellis::apps
