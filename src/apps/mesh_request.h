#pragma once

#include <optional>
#include <string>

namespace trellis::apps {

/// What `trellis up`, `down`, `logout` and `ping` were asked for, besides what all commands have.
struct MeshRequest {
  // up
  std::string server;          // https://HOST[:PORT]#sha256:HEX; empty: the one that is stored
  std::string setup_key_file;  // "-" is standard input
  std::string setup_key;       // from the command line, which everybody can read
  std::string host_name;
  std::optional<std::string> mode;  // "strict" or "permissive"
  double timeout_seconds = 30;

  // logout
  bool force = false;

  // ping
  std::string peer;
  unsigned count = 4;
  double interval_seconds = 0.2;
  bool v6 = false;
};

}  // namespace trellis::apps
