#pragma once

#include "base/time.h"
#include "protocol/ice/candidate.h"
#include "protocol/ice/constants.h"
#include "protocol/stun/message.h"

#include <array>
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

  std::optional<TimePoint> due;           // its next check
  int checks_left = 0;                    // of those that the peer's own check has triggered
  int checks_in_search = 0;               // since the search began
  std::optional<TimePoint> checked_at;    // by us, last
  std::optional<TimePoint> answered_at;   // when the last answer came
  std::optional<TimePoint> heard_at;      // the last check of the peer, or first mention
  std::optional<TimePoint> nominated_at;  // by the peer, since we last lost the path
  int unanswered = 0;                     // checks since the last answer
  std::optional<TimePoint> silent_since;  // the first of them
  std::optional<Duration> round_trip;     // smoothed

  /// The last ones; older ones count as lost.
  std::array<std::optional<SentCheck>, 8> sent;
  std::size_t sent_count = 0;

  const Endpoint& endpoint() const { return remote.endpoint; }
  /// How long an answer may take.
  Duration patience() const;
  void note_sent(const SentCheck& check);
  /// The check that this answers, once.
  std::optional<SentCheck> take_sent(const stun::TransactionId& transaction);
  void note_answer(TimePoint now, const SentCheck& check);
  void forget_answers();
};

}  // namespace trellis::ice
