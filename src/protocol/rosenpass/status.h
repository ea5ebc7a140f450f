#pragma once

#include "base/time.h"
#include "protocol/rosenpass/drop.h"
#include "protocol/rosenpass/event.h"
#include "protocol/rosenpass/key.h"

#include <cstdint>
#include <optional>

namespace trellis::rosenpass {

/// Where our own exchange with a peer stands; what we do as its responder needs no state.
enum class ExchangeState : std::uint8_t {
  Idle,   // none runs
  Hello,  // InitHello is out
  Conf,   // InitConf is out, and its key pending
};

/// How a peer's program behaves where two exchanges collide. [pair rule 1]
enum class PeerKind : std::uint8_t {
  Trellis,  // on InitConf, the end with the larger pid lets its own exchange go on
  Stock,    // Rust: drops its own exchange on InitConf, whatever its pid. So we never drop ours
  Unknown,  // found out: ours are told by their session ids, Rust and Go by their acknowledgements.
            // Until then taken for Stock
  StockGo,  // go-rosenpass, NetBird: never drops its own, and calls its key expired 180 s later if
            // we refuse it. So we drop ours, and refuse only what it has repeated
};

enum class Role : std::uint8_t { Initiator, Responder };

/// What is known of one peer, for people.
struct PeerStatus {
  PeerHash pid;  // in the version that it speaks
  ExchangeState state = ExchangeState::Idle;
  TimePoint state_since{};
  std::optional<ExchangeId> current;          // whose key is current, if one is
  std::optional<TimePoint> current_age_from;  // when that key's life began
  PeerKind kind = PeerKind::Trellis;          // as far as known
  Role role = Role::Responder;                // in the exchange that made it
  std::uint64_t hellos_sent = 0;              // InitHello, repeats included
  std::uint64_t started = 0;                  // exchanges begun by us
  std::uint64_t proven = 0;                   // ... and completed
  std::uint64_t accepted = 0;                 // exchanges completed as responder
  std::uint64_t expired = 0;                  // keys that nothing replaced in time
  std::optional<TimePoint> heard;             // last authentic and fresh message
  std::optional<Drop> last_drop;              // of a datagram that claimed to be from this peer
  std::optional<TimePoint> last_drop_at;      // (anybody may claim that: a hint, no finding)
};

}  // namespace trellis::rosenpass
