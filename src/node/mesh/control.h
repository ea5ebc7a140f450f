#pragma once

#include "node/agent/control.h"
#include "node/agent/status_json.h"
#include "node/mesh/node.h"

#include <array>
#include <optional>
#include <string>

namespace trellis::mesh {

/// The way into a network, for people who wait in front of it.
struct Steps {
  enum Step : std::size_t { Keys, Connect, Login, Map, kCount };
  struct State {
    std::optional<TimePoint> begun;
    std::optional<TimePoint> done;
  };
  std::array<State, kCount> states;

  void begin(Step step, TimePoint now) { states[step] = {now, std::nullopt}; }
  void end(Step step, TimePoint now);
};

/// What the machine adds to the node's own knowledge.
struct Facts {
  agent::HostFacts host;
  std::string server;  // the join line
  std::string tls;     // of the connection to it: "TLSv1.3 X25519MLKEM768"; empty: none
  Steps steps;
};

/// What `trellis status` tells of a machine in a network: all that agent::status_object has, the
/// server and signal, and each peer's path.
agent::Json status_object(const Node& node, TimePoint now, const Facts& facts);

/// The same of a machine that is in no network, or down.
/// `server`: of the network that it can go up in again; empty: none.
agent::Json status_of_nobody(const std::string& server);

}  // namespace trellis::mesh
