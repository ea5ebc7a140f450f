#pragma once

#include "base/time.h"

#include <cstddef>

/// Numbers of the protocol, and ours where it leaves room.
namespace trellis::ice {

// Bounds of what one peer may make us remember. [pair rule 9]
constexpr std::size_t kSignalledMax = 32;  // candidates that it names
constexpr std::size_t kLearnedMax = 8;     // addresses that it does not, or not any more

// Pacing: so many checks at once, then one in each kPace. [RFC 8445 14.2: at least 5 ms]
constexpr int kBurst = 4;
constexpr Duration kPace = 5ms;

/// The path is checked so often, with jitter U(0.8, 1.2). [RFC 7675 5.1]
constexpr Duration kConsentInterval = 2s;
// An unanswered check of the path is repeated after twice the round trip, within these bounds.
constexpr Duration kRetransmitLeast = 100ms;
constexpr Duration kRetransmitMost = 1s;
/// An answer that takes longer has no value.
constexpr Duration kAnswerMost = 5s;
/// A path that has left so many checks unanswered is in doubt: the other pairs are tried too.
constexpr int kDoubtAfter = 2;
/// And after so many, a pair that has answered meanwhile takes its place.
constexpr int kReplaceAfter = 4;
/// Without an answer for so long, there is no path any more,
constexpr Duration kSilenceMost = 6s;
/// if it was asked for so long at least.
constexpr Duration kAskedLeast = 3s;

/// Pairs of higher priority than the path are checked so often before we settle for it,
constexpr int kChecksForBetter = 6;
constexpr Duration kBetterInterval = 200ms;
/// and now and then for ever: what was down may be up again.
constexpr Duration kRetryBetter = 60s;

// Checks of the peer over a pair that is not the path trigger ours: so many, unless it answers,
constexpr int kTriggeredChecks = 4;
constexpr Duration kTriggeredInterval = 100ms;
/// not if one has just been sent,
constexpr Duration kTriggeredPause = 20ms;
/// and not if the pair has answered so lately: else two ends would trigger each other for ever.
constexpr Duration kKnownFor = 1s;
/// When the peer is heard from another address of the path's family, the path is asked whether it
/// still works, but not more often than this.
constexpr Duration kProbePause = 500ms;

// While there is no path, each pair is checked again after this time, with jitter U(0.8, 1.2). It
// grows with the time that the search has taken. A check of the peer is answered by ours at once,
// so that the time to a path is that of the more eager end.
struct SearchPhase {
  Duration until;  // since the search began
  Duration interval;
};
constexpr SearchPhase kSearchPhases[] = {
    {500ms, 100ms}, {30s, 500ms}, {120s, 2s}, {600s, 5s}, {Duration::max(), 10s}};

/// Who is called so late has slept, with the whole machine.
constexpr Duration kSleptAfter = 5s;

// Checks of the peer from addresses that are not known (yet): so many at once, then one in each
// pause.
constexpr int kUnknownBurst = 20;
constexpr Duration kUnknownPause = 50ms;

/// An address that the peer does not name is kept so long after the last check over it, either way.
constexpr Duration kForgetAfter = 60s;

}  // namespace trellis::ice
