#include "base/source_budget.h"

namespace trellis {

namespace {

constexpr Duration kSweepPause = std::chrono::seconds(1);  // going through the table has its price

}  // namespace

IpAddress place_of(const IpAddress& source) {
  const IpAddress plain = source.unmapped();
  return plain.is_v4() ? plain : Prefix(plain, 64).address();
}

bool SourceBudget::take(TimePoint now, const IpAddress& source) {
  const IpAddress place = place_of(source);
  if (const auto it = places_.find(place); it != places_.end()) return it->second.take(now);
  if (places_.size() >= places_max_ && (!swept_ || *swept_ + kSweepPause <= now)) {
    swept_ = now;
    std::erase_if(places_, [now](const auto& entry) { return entry.second.full(now); });
  }
  if (places_.size() >= places_max_) return others_.take(now);
  return places_.emplace(place, TokenBucket(per_second_, burst_)).first->second.take(now);
}

}  // namespace trellis
