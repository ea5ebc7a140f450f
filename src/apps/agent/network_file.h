#pragma once

#include "base/result.h"
#include "node/pair/pair.h"
#include "protocol/control/join_line.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace trellis::apps {

/// The network that this machine has joined: `network.json` of the state folder. No secret is in
/// it.
struct NetworkFile {
  static constexpr int kVersion = 1;

  control::JoinLine server;
  std::string host_name;                 // asked for at the first login
  pair::Mode mode = pair::Mode::Strict;  // of this machine
  std::string interface = "trellis0";
  std::uint16_t listen_port = 51820;  // 0: any
  bool up = true;                     // or down, by somebody's word
  bool registered = false;            // the server has known us once
};

// What else a machine in a network keeps in its state folder; all of it but the pins in state.json
// can be fetched again.
constexpr const char* kStateFile = "state.json";
constexpr const char* kMemoryFile = "map.json";
constexpr const char* kPeerKeysFolder = "peer-keys";

std::string format_network_file(const NetworkFile& file);
Result<NetworkFile> parse_network_file(std::string_view text);

}  // namespace trellis::apps
