#pragma once

#include "node/agent/agent.h"

#include <string>
#include <string_view>
#include <vector>

namespace trellis::agent {

/// What the machine adds to the agent's own knowledge.
struct HostFacts {
  std::string name;
  std::string interface;
  std::vector<InterfaceAddress> addresses;
  std::uint16_t listen_port = 0;
  std::vector<std::string> warnings;  // in force now, each with what to do
};

/// Who asks, as the operating system says. [SO_PEERCRED]
struct Caller {
  bool may_change = false;  // root; everybody else who can open the socket may look
};

/// An answer, and what the caller of `handle_request` must do besides sending it.
struct Reply {
  std::string text;  // one line of JSON
  bool reload = false;
  friend bool operator==(const Reply&, const Reply&) = default;
};

/// Answers one request of the control socket. A request is one line of JSON:
///
///   {"command": "status"}                everything about host and peers
///   {"command": "trust", "peer": NAME}   accept the listed keys of a peer; root only
///   {"command": "reload"}                read the list of peers again; root only
///
/// The answer is {"ok": true, ...} or {"ok": false, "error": "..."}. Never fails on input.
Reply handle_request(Agent& agent, TimePoint now, const HostFacts& host, Caller caller,
                     std::string_view request);

/// The answer {"ok": false, "error": why}, for what the owner finds wrong himself.
std::string refusal(std::string why);

/// The object behind "status", indented if `indent` is not negative.
std::string status_text(const Agent& agent, TimePoint now, const HostFacts& host, int indent);

}  // namespace trellis::agent
