#pragma once

#include "base/random.h"
#include "protocol/rosenpass/messages.h"

namespace trellis::rosenpass {

// Half of a session id is random, and the other half follows from it: so our ends know each other
// where two exchanges collide, for then each kind of program behaves in its own way and nothing
// else tells which one the other end is. Others take it for chance, which makes it once in 65,536.
// Both ids go into the exchange's keys, so who changes one on the way ends the exchange.

SessionId marked_session_id(Random& random);
bool is_marked(SessionId id);

}  // namespace trellis::rosenpass
