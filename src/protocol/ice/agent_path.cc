#include "protocol/ice/agent.h"

#include <algorithm>

namespace trellis::ice {

// ---- which pair is the path ------------------------------------------------------------------

/// The peer has checked this pair: so it can send over it.
void Agent::handle_checked(TimePoint now, CandidatePair& pair, bool nominated) {
  pair.heard_at = now;
  if (nominated && role_ == Role::Controlled) pair.nominated_at = now;
  if (is_path(pair)) {
    if (pair.unanswered > 0) trigger(now, pair);
    return;
  }
  const CandidatePair* path = selected();
  const bool works = pair.answered_since(now - kKnownFor) && pair.unanswered == 0;
  if (works && (path == nullptr || may_replace(pair, *path))) return select(now, pair);
  trigger(now, pair);
  probe_path(now, pair.endpoint());
}

/// It works both ways.
void Agent::handle_answer(TimePoint now, CandidatePair& pair) {
  const CandidatePair* path = selected();
  if (path == nullptr || (!is_path(pair) && may_replace(pair, *path))) return select(now, pair);
  if (is_path(pair)) {
    if (search_began_) end_search(now, pair);
    pair.due = now + jittered(kConsentInterval);
  } else if (!search_began_) {
    pair.due.reset();
  }
}

bool Agent::may_replace(const CandidatePair& pair, const CandidatePair& path) const {
  if (path.unanswered >= kReplaceAfter) return true;
  if (role_ == Role::Controlled) {
    return pair.nominated_at && (!path.nominated_at || *path.nominated_at < *pair.nominated_at);
  }
  if (pair.priority != path.priority) return pair.priority > path.priority;
  return pair.round_trip && path.round_trip && 2 * *pair.round_trip < *path.round_trip;
}

void Agent::select(TimePoint now, CandidatePair& pair) {
  selected_ = pair.endpoint();
  events_.push_back(Selected{pair.endpoint()});
  end_search(now, pair);
  // A controlling end nominates at once: its next check of the path says so.
  pair.due = role_ == Role::Controlling ? now : now + jittered(kConsentInterval);
}

void Agent::lose(TimePoint now) {
  selected_.reset();
  events_.push_back(Lost{});
  for (CandidatePair& pair : pairs_) pair.nominated_at.reset();
  if (!search_began_) begin_search(now);
}

/// Before the path is checked again: how long is it since it has answered?
void Agent::review_path(TimePoint now) {
  if (!selected_) return;
  const CandidatePair& path = *selected();
  if (!path.due || *path.due > now || path.unanswered == 0) return;
  if (path.unanswered >= kDoubtAfter && !search_began_) begin_search(now);
  if (path.unanswered >= kReplaceAfter && replace_path(now, path)) return;
  const bool is_silent = !path.answered_since(now - kSilenceMost);
  if (is_silent && now - *path.silent_since >= kAskedLeast) lose(now);
}

/// By the best pair that has answered while the path was silent, if there is one.
bool Agent::replace_path(TimePoint now, const CandidatePair& path) {
  const auto answers = [&](const CandidatePair& pair) {
    return !is_path(pair) && pair.answered_since(*path.silent_since);
  };
  const auto better = std::ranges::find_if(pairs_, answers);
  if (better == pairs_.end()) return false;
  select(now, *better);
  return true;
}

// ---- when each pair is checked ---------------------------------------------------------------

void Agent::begin_search(TimePoint now) {
  search_began_ = now;
  for (CandidatePair& pair : pairs_) {
    pair.checks_in_search = 0;
    pair.due = now;
  }
}

/// With a path that answers, only what could be better is still checked.
void Agent::end_search(TimePoint now, const CandidatePair& path) {
  search_began_.reset();
  for (CandidatePair& pair : pairs_) {
    if (is_path(pair) || pair.checks_left > 0) continue;
    if (const auto later = due_beside(now, pair, path); !later || !pair.due) pair.due = later;
  }
}

/// Time that passed while the machine slept was no silence of the peer's.
void Agent::notice_sleep(TimePoint now) {
  const auto due = next_timeout();
  if (!due || now - *due < kSleptAfter) return;
  for (CandidatePair& pair : pairs_) {
    pair.unanswered = 0;
    pair.silent_since.reset();
  }
  begin_search(now);
}

/// The peer was heard over this pair, so ours should be tried at once. [RFC 8445 7.3.1.4]
void Agent::trigger(TimePoint now, CandidatePair& pair) {
  if (pair.answered_since(now - kKnownFor) && pair.unanswered == 0) return;
  if (pair.checked_at && now - *pair.checked_at < kTriggeredPause) return;
  pair.checks_left = kTriggeredChecks;
  pair.due = now;
}

/// Heard from another address, the peer may have left the one that the path leads to.
void Agent::probe_path(TimePoint now, const Endpoint& heard) {
  if (!selected_ || selected_->address.family() != heard.address.family()) return;
  CandidatePair& path = *find(*selected_);
  if (path.checked_at && now - *path.checked_at < kProbePause) return;
  path.due = now;
}

void Agent::run_checks(TimePoint now) {
  review_path(now);
  while (CandidatePair* pair = next_due(now)) {
    if (!pace_.take(now)) return;
    send_check(now, *pair);
    pair->due = due_after(now, *pair);
  }
}

/// First what the peer's checks have triggered, then the path, then what has waited longest.
CandidatePair* Agent::next_due(TimePoint now) {
  const auto rank = [&](const CandidatePair& pair) {
    return pair.checks_left > 0 ? 0 : is_path(pair) ? 1 : 2;
  };
  CandidatePair* next = nullptr;
  for (CandidatePair& pair : pairs_) {
    if (!pair.due || *pair.due > now) continue;
    const bool sooner = next == nullptr || rank(pair) < rank(*next) ||
                        (rank(pair) == rank(*next) && *pair.due < *next->due);
    if (sooner) next = &pair;
  }
  return next;
}

/// When to check again if no answer comes; a check has just been sent.
std::optional<TimePoint> Agent::due_after(TimePoint now, CandidatePair& pair) {
  if (pair.checks_left > 0) --pair.checks_left;
  if (is_path(pair)) return now + pair.patience();
  if (pair.checks_left > 0) return now + kTriggeredInterval;
  if (search_began_) return now + jittered(search_interval(now));
  return due_beside(now, pair, *selected());
}

/// Of a pair that is not the path: soon and a few times if it might be better, then rarely.
std::optional<TimePoint> Agent::due_beside(TimePoint now, const CandidatePair& pair,
                                           const CandidatePair& path) {
  if (pair.priority <= path.priority) return std::nullopt;
  const bool tried = pair.checks_in_search >= kChecksForBetter;
  return now + (tried ? jittered(kRetryBetter) : kBetterInterval);
}

Duration Agent::search_interval(TimePoint now) const {
  for (const SearchPhase& phase : kSearchPhases) {
    if (now - *search_began_ < phase.until) return phase.interval;
  }
  return std::end(kSearchPhases)[-1].interval;
}

Duration Agent::jittered(Duration interval) {
  const double factor = 0.8 + 0.4 * random_.unit();
  return std::chrono::duration_cast<Duration>(interval * factor);
}

}  // namespace trellis::ice
