#include "protocol/ice/candidate_pair.h"

#include <algorithm>

namespace trellis::ice {

Duration CandidatePair::patience() const {
  return std::clamp(2 * round_trip.value_or(Duration::zero()), kRetransmitLeast, kRetransmitMost);
}

bool CandidatePair::answered_since(TimePoint time) const {
  return answered_at && *answered_at >= time;
}

void CandidatePair::note_sent(const SentCheck& check) {
  sent[sent_count++ % sent.size()] = check;
  checked_at = check.at;
  ++checks_in_search;
  ++unanswered;
  if (!silent_since) silent_since = check.at;
}

const SentCheck* CandidatePair::find_sent(const stun::TransactionId& transaction) const {
  const auto it = std::ranges::find_if(
      sent, [&](const auto& check) { return check && check->transaction == transaction; });
  return it == sent.end() ? nullptr : &**it;
}

void CandidatePair::note_answer(TimePoint now, const SentCheck& check) {
  const Duration sample = now - check.at;
  round_trip = round_trip ? (7 * *round_trip + sample) / 8 : sample;
  answered_at = now;
  unanswered = 0;
  silent_since.reset();
  checks_left = 0;
}

void CandidatePair::forget_sent(const stun::TransactionId& transaction) {
  for (auto& check : sent) {
    if (check && check->transaction == transaction) check.reset();
  }
}

}  // namespace trellis::ice
