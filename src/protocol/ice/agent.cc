#include "protocol/ice/agent.h"

#include <algorithm>

namespace trellis::ice {

Agent::Agent(TimePoint now, Config config, Random& random)
    : config_(std::move(config)),
      role_(config_.role),
      tie_breaker_(random.u64()),
      random_(random),
      search_began_(now) {}

// ---- candidates ------------------------------------------------------------------------------

void Agent::set_remote_candidates(TimePoint now, std::span<const Candidate> candidates) {
  notice_sleep(now);
  std::vector<const Candidate*> accepted;
  for (const Candidate& candidate : candidates) {
    const bool known = std::ranges::any_of(
        accepted, [&](const Candidate* other) { return other->endpoint == candidate.endpoint; });
    if (accepted.size() == kSignalledMax) break;
    if (!known && is_usable(candidate.endpoint)) accepted.push_back(&candidate);
  }
  if (accepted.empty()) return;
  for (CandidatePair& pair : pairs_) pair.named = false;
  bool anything_new = false;
  for (const Candidate* candidate : accepted) anything_new |= name(now, *candidate);
  sort_pairs();
  forget_unnamed(now, kLearnedMax);
  if (!selected_) {
    // Who names candidates is there. A new list starts the search anew, an old one a round of it.
    if (anything_new) begin_search(now);
    for (CandidatePair& pair : pairs_) pair.due = now;
  }
  run_checks(now);
}

/// True if it is new.
bool Agent::name(TimePoint now, const Candidate& candidate) {
  CandidatePair* pair = find(candidate.endpoint);
  const bool is_new = pair == nullptr;
  if (is_new) pair = &pairs_.emplace_back();
  const std::uint64_t priority_before = pair->priority;
  pair->remote = candidate;
  pair->named = true;
  set_priority(*pair);
  const CandidatePair* path = selected();
  const bool has_risen = pair->priority > priority_before;
  if (path != nullptr && !is_path(*pair) && has_risen && pair->priority > path->priority) {
    pair->checks_in_search = 0;
    pair->due = now;
  }
  return is_new;
}

/// A pair for an address from which the peer was heard. [RFC 8445 7.3.1.3]
CandidatePair& Agent::learn(TimePoint now, const Endpoint& from, std::uint32_t priority) {
  if (CandidatePair* known = find(from)) return *known;
  forget_unnamed(now, kLearnedMax - 1);
  CandidatePair pair;
  pair.remote = {.foundation = foundation_of(CandidateType::PeerReflexive, from.address),
                 .priority = priority,
                 .endpoint = from,
                 .type = CandidateType::PeerReflexive,
                 .related = std::nullopt};
  pair.heard_at = now;
  if (search_began_) pair.due = now;
  set_priority(pair);
  pairs_.push_back(std::move(pair));
  sort_pairs();
  return *find(from);
}

/// Of what the peer does not name, only what has lately been of use is kept, and `keep` at most.
void Agent::forget_unnamed(TimePoint now, std::size_t keep) {
  const auto last_use = [](const CandidatePair& pair) {
    return std::max(pair.heard_at.value_or(TimePoint{}), pair.answered_at.value_or(TimePoint{}));
  };
  const auto may_go = [&](const CandidatePair& pair) { return !pair.named && !is_path(pair); };
  std::erase_if(pairs_, [&](const CandidatePair& pair) {
    return may_go(pair) && now - last_use(pair) > kForgetAfter;
  });
  for (;;) {
    std::size_t count = 0;
    auto oldest = pairs_.end();
    for (auto it = pairs_.begin(); it != pairs_.end(); ++it) {
      if (!may_go(*it)) continue;
      ++count;
      if (oldest == pairs_.end() || last_use(*it) < last_use(*oldest)) oldest = it;
    }
    if (count <= keep) return;
    pairs_.erase(oldest);
  }
}

void Agent::set_priority(CandidatePair& pair) const {
  const auto family = pair.endpoint().address.family();
  const auto own = candidate_priority(CandidateType::Host, socket_preference(family));
  pair.priority = pair_priority(role_, own, pair.remote.priority);
}

void Agent::sort_pairs() {
  std::ranges::sort(pairs_, [](const CandidatePair& a, const CandidatePair& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.endpoint() < b.endpoint();
  });
}

void Agent::set_role(Role role) {
  role_ = role;
  for (CandidatePair& pair : pairs_) {
    set_priority(pair);
    pair.nominated_at.reset();
  }
  sort_pairs();
}

CandidatePair* Agent::find(const Endpoint& remote) {
  const auto it = std::ranges::find(pairs_, remote, &CandidatePair::endpoint);
  return it == pairs_.end() ? nullptr : &*it;
}

const CandidatePair* Agent::find(const Endpoint& remote) const {
  const auto it = std::ranges::find(pairs_, remote, &CandidatePair::endpoint);
  return it == pairs_.end() ? nullptr : &*it;
}

bool Agent::is_usable(const Endpoint& endpoint) const {
  return endpoint.port != 0 && (!config_.usable || config_.usable(endpoint));
}

// ---- the owner's side ------------------------------------------------------------------------

void Agent::heard_from(TimePoint now, const Endpoint& from) {
  notice_sleep(now);
  if (selected_ == from || !is_usable(from)) return;
  CandidatePair* pair = find(from);
  if (pair == nullptr) {
    if (!unknown_.take(now)) return;
    const auto priority =
        candidate_priority(CandidateType::PeerReflexive, socket_preference(from.address.family()));
    pair = &learn(now, from, priority);
  }
  pair->heard_at = now;
  trigger(now, *pair);
  probe_path(now, from);
  run_checks(now);
}

void Agent::restart(TimePoint now) {
  begin_search(now);
  run_checks(now);
}

bool Agent::handle_message(TimePoint now, const Endpoint& from, const stun::Message& message,
                           ByteView datagram) {
  switch (message.kind) {
    case stun::Class::Request:
      return handle_request(now, from, message, datagram);
    case stun::Class::Success:
    case stun::Class::Error:
      return handle_response(now, from, message, datagram);
    case stun::Class::Indication:
      return false;  // says nothing, and proves nothing
  }
  return false;
}

void Agent::handle_timeout(TimePoint now) {
  notice_sleep(now);
  run_checks(now);
}

std::optional<TimePoint> Agent::next_timeout() const {
  std::optional<TimePoint> first;
  for (const CandidatePair& pair : pairs_) first = earlier(first, pair.due);
  if (!first) return std::nullopt;
  return std::max(*first, pace_.next());
}

std::optional<Agent::Transmit> Agent::poll_transmit() {
  if (transmits_.empty()) return std::nullopt;
  Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<Event> Agent::poll_event() {
  if (events_.empty()) return std::nullopt;
  Event event = events_.front();
  events_.pop_front();
  return event;
}

}  // namespace trellis::ice
