#pragma once

#include "apps/key_commands.h"

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {  // NOLINT(readability-identifier-naming): the name of CLI11
class App;
}

namespace trellis::apps {

constexpr const char* kServerSocket = "/run/trellis-server/server.sock";

/// What `trellis server ...` was asked for.
struct ServerRequest {
  enum class Command {
    None,
    Status,
    SetupKeyCreate,
    SetupKeyList,
    SetupKeyRevoke,
    PeerList,
    PeerRemove,
    PeerRename,
    PeerTrust,
  };
  Command command = Command::None;
  Form form = Form::Text;
  std::string socket = kServerSocket;

  // setup-key
  std::string id;
  std::string name;  // of the key
  bool reusable = false;
  std::optional<std::uint32_t> limit;
  std::optional<std::uint64_t> expires_seconds;
  bool ephemeral = false;

  // peer
  std::string peer;
  std::string new_name;
};

/// Adds the commands below `server`; parsing fills `request`, which must outlive the parser.
void add_server_commands(CLI::App& server, ServerRequest& request);

}  // namespace trellis::apps
