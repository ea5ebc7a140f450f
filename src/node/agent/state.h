#pragma once

#include "base/result.h"
#include "base/time.h"
#include "node/pair/pins.h"

#include <string>
#include <string_view>

namespace trellis::agent {

/// What an agent must not forget across restarts, besides its keys. No secret is in it.
struct State {
  static constexpr int kVersion = 1;

  WallTime timestamps_reserved;  // [pair rule 8]
  pair::Pins pins;               // [pair rule 3]
};

/// The text of the state file, JSON.
std::string format_state(const State& state);

/// Fails, and says why, on anything but a whole state of a version that we know: a state that was
/// lost must be noticed, never made up.
Result<State> parse_state(std::string_view text);

}  // namespace trellis::agent
