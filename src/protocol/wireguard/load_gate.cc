#include "protocol/wireguard/load_gate.h"

#include <algorithm>
#include <chrono>

namespace trellis::wireguard {

namespace {

/// What one attacker can have many of counts as one: a /64 of IPv6.
IpAddress place_of(const IpAddress& source) {
  return source.is_v4() ? source : Prefix(source, 64).address();
}

}  // namespace

double TokenBucket::tokens_at(TimePoint now) const {
  if (!filled_at_ || now <= *filled_at_) return tokens_;
  const std::chrono::duration<double> passed = now - *filled_at_;
  return std::min(burst_, tokens_ + passed.count() * per_second_);
}

LoadGate::LoadGate(std::uint32_t handshakes_per_second)
    : arrivals_(handshakes_per_second / 2.0, std::max(1.0, handshakes_per_second / 8.0)),
      work_(handshakes_per_second, std::max(1.0, handshakes_per_second / 4.0)),
      cookies_(4.0 * handshakes_per_second, handshakes_per_second) {}

bool LoadGate::note_arrival(TimePoint now) {
  if (!arrivals_.take(now)) loaded_until_ = now + kLoadLasts;
  return loaded_until_ && now < *loaded_until_;
}

bool LoadGate::may_serve(TimePoint now, const IpAddress& source) {
  const IpAddress place = place_of(source);
  auto found = sources_.find(place);
  if (found == sources_.end()) {
    if (sources_.size() >= kSourcesMax) {
      std::erase_if(sources_, [now](const auto& entry) { return entry.second.full(now); });
    }
    if (sources_.size() >= kSourcesMax) return false;
    found = sources_.emplace(place, TokenBucket(kPerSource, kPerSourceBurst)).first;
  }
  return found->second.take(now);
}

}  // namespace trellis::wireguard
