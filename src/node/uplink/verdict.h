#pragma once

#include "node/uplink/event.h"
#include "protocol/grpc/status.h"

#include <string>

namespace trellis::uplink {

/// What the agent was when it asked to be let in.
struct LoginAttempt {
  bool with_setup_key = false;  // the request carried one
  bool has_setup_key = false;   // one is at hand
  bool was_member = false;      // the server has known this machine before
};

/// What follows from a Login that failed.
struct Verdict {
  enum class Action : std::uint8_t {
    UseSetupKey,  // ask again with it, on the same connection
    Reconnect,    // trouble that passes
    Refuse,       // see Refused
  };
  Action action = Action::Reconnect;
  std::string message;  // for people: what is wrong, and what to do
  Refusal reason{};
  bool permanent = false;
  bool setup_key_spent = false;  // it is of no more use
};

/// `status` is not Ok. [netbird-wire 2.13]
Verdict judge_login(const grpc::Status& status, const LoginAttempt& attempt);

}  // namespace trellis::uplink
