#pragma once

#include "base/time.h"
#include "node/pair/key_name.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trellis::uplink {

enum class LineState : std::uint8_t {
  Waiting,     // until the next attempt
  Connecting,  // TCP and TLS
  LoggingIn,   // the server's key, Login
  Up,          // logged in
  Refused,     // for good: see Refused
  LoggedOut,
};
const char* to_string(LineState state);

enum class SignalState : std::uint8_t { Down, Registering, Up };
const char* to_string(SignalState state);

/// A public key on its way.
struct Transfer {
  pair::KeyName name;
  std::uint32_t bytes = 0;
  std::uint32_t total = 0;  // 0: not known yet
  std::string error;        // of the last attempt; empty: none
};

struct Counters {
  std::uint64_t connects = 0;          // attempts
  std::uint64_t logins = 0;            // that succeeded
  std::uint64_t maps = 0;              // whole ones that were applied
  std::uint64_t updates = 0;           // changes that were applied
  std::uint64_t maps_refused = 0;      // unreadable, too old, or on top of another
  std::uint64_t signals_sent = 0;      // accepted by the server
  std::uint64_t signals_received = 0;  // handed on
  std::uint64_t signals_dropped = 0;   // queue full, too old, peer unknown, box does not open
  std::uint64_t key_bytes_sent = 0;
  std::uint64_t key_bytes_received = 0;
};

/// What `trellis status` shows of the server.
struct Status {
  LineState server = LineState::Waiting;
  TimePoint server_since;               // in this state
  std::string server_error;             // why the last attempt or line ended; empty when up
  std::optional<TimePoint> next_try;    // Waiting, or Refused and asked again later
  std::optional<TimePoint> last_heard;  // last bytes from the server
  SignalState signal = SignalState::Down;
  TimePoint signal_since;
  std::string signal_error;
  std::uint64_t serial = 0;  // of the map in force; 0: none
  bool synced = false;       // the server has confirmed it on this line
  std::string map_error;     // why the newest map is not in force; empty: it is
  std::optional<Transfer> upload;
  std::vector<Transfer> fetches;
  Counters counters;
};

}  // namespace trellis::uplink
