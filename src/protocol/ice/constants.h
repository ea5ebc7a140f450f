#pragma once

#include "base/time.h"

#include <cstddef>

/// Numbers of the protocol, and ours where it leaves room.
namespace trellis::ice {

// Bounds of what one peer may make us remember. [pair rule 9]
constexpr std::size_t kSignalledMax = 32;  // candidates that it told us of
constexpr std::size_t kLearnedMax = 8;     // addresses from which it was heard

// Pacing: so many checks at once, then one in kPace. [RFC 8445 14.2: at least 5 ms]
constexpr int kBurst = 4;
constexpr Duration kPace = 5ms;

/// A live path is checked so often, with jitter U(0.8, 1.2). [RFC 7675 5.1: at most 15 s]
constexpr Duration kConsentInterval = 2s;
// An unanswered check of the path is repeated after twice the round trip, within these bounds.
constexpr Duration kRetransmitLeast = 100ms;
constexpr Duration kRetransmitMost = 1s;
/// A path that has left so many checks unanswered is in doubt: the others are tried.
constexpr int kDoubtAfter = 2;
/// And after so many, another one takes its place if it has answered meanwhile.
constexpr int kReplaceAfter = 4;
/// Without an answer for so long, there is no path any more.
constexpr Duration kSilenceMost = 6s;
/// But never before it was asked for so long: time may have jumped.
constexpr Duration kAskedLeast = 4s;
/// Pairs of higher priority than the path are checked so often before we settle for it.
constexpr int kChecksForBetter = 6;
/// A pair that the peer has checked is checked by us so often, at kRetransmitLeast.
constexpr int kTriggeredChecks = 4;
/// And not again within this time.
constexpr Duration kTriggeredPause = 100ms;
/// When the peer is heard from another address, the path is asked at once, but not more often.
constexpr Duration kProbePause = 500ms;

// While there is no path, each pair is checked again after this time, which grows with the time
// that the search takes. All with jitter U(0.8, 1.2).
struct SearchPhase {
  Duration until;  // since the search began
  Duration interval;
};
constexpr SearchPhase kSearchPhases[] = {
    {500ms, 100ms}, {30s, 500ms}, {120s, 2s}, {600s, 5s}, {Duration::max(), 10s}};

/// A timer that rings so late has slept, with the whole machine.
constexpr Duration kSleptAfter = 5s;

/// Requests from addresses that are no candidates (yet): so many at once, then one in each pause.
constexpr int kUnknownBurst = 20;
constexpr Duration kUnknownPause = 50ms;

/// A candidate that the peer does not name any more is kept so long after its last answer.
constexpr Duration kForgetAfter = 60s;

}  // namespace trellis::ice
