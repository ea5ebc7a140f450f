#pragma once

#include "base/address.h"
#include "base/time.h"

#include <cstdint>
#include <optional>
#include <string>

namespace trellis::pair {

/// What is in force between two ends, for people and programs. It speaks of the session that
/// carries packets now, never of what was announced. [pair rule 7]
struct Status {
  enum class Protection : std::uint8_t {
    None,         // no session, so nothing is sent
    Plain,        // a session without a post-quantum key
    PostQuantum,  // a session whose preshared key an exchange made
  };

  Protection protection = Protection::None;
  std::string why_not;  // empty if PostQuantum

  std::optional<Endpoint> endpoint;
  std::optional<Duration> session_age;       // of the session in use
  std::optional<Duration> session_key_age;   // of the key of that session, from its exchange
  std::optional<Duration> current_key_age;   // of the newest key, for the next handshake
  std::uint64_t renewals = 0;                // keys that took the place of another
  std::optional<Duration> latest_handshake;  // ago
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
};

}  // namespace trellis::pair
