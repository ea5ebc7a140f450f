#pragma once

#include "base/time.h"
#include "protocol/ice/candidate.h"
#include "protocol/ice/constants.h"
#include "protocol/stun/message.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace trellis::ice {

/// A check of ours that may still be answered.
struct SentCheck {
  stun::TransactionId transaction{};
  TimePoint at{};
  bool controlling = false;  // what we said of our role
};

/// Our socket of a family, and an address of the peer. [RFC 8445 6.1.2]
struct CandidatePair {
  Candidate remote;
  std::uint64_t priority = 0;
  bool named = false;  // the peer's last list of candidates has it

  // Our checks.
  std::optional<TimePoint> due;           // the next one
  int checks_left = 0;                    // of those that a check of the peer has triggered
  int checks_in_search = 0;               // since all were last tried anew
  std::optional<TimePoint> checked_at;    // the last one
  std::optional<TimePoint> answered_at;   // when the last answer came
  int unanswered = 0;                     // since the last answer
  std::optional<TimePoint> silent_since;  // the first of those
  std::optional<Duration> round_trip;     // smoothed

  // The peer's.
  std::optional<TimePoint> heard_at;      // the last one
  std::optional<TimePoint> nominated_at;  // the last one that nominated, since the path was lost

  /// The last ones; older ones count as lost.
  std::array<std::optional<SentCheck>, 8> sent;
  std::size_t sent_count = 0;

  const Endpoint& endpoint() const { return remote.endpoint; }
  /// How long an answer may take before the check is repeated.
  Duration patience() const;
  bool answered_since(TimePoint time) const;

  void note_sent(const SentCheck& check);
  const SentCheck* find_sent(const stun::TransactionId& transaction) const;
  void note_answer(TimePoint now, const SentCheck& check);
  void forget_sent(const stun::TransactionId& transaction);
};

}  // namespace trellis::ice
