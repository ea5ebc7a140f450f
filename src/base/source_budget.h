#pragma once

#include "base/address.h"
#include "base/token_bucket.h"

#include <cstddef>
#include <unordered_map>

namespace trellis {

/// What one attacker can have many of counts as one: a /64 of IPv6, which a network gives to a
/// single host.
IpAddress place_of(const IpAddress& source);

/// A share of some work for each place that strangers come from.
///
/// The table is bounded. While it is full of places that have had their fill lately, all further
/// ones have one share together.
class SourceBudget {
 public:
  SourceBudget(double per_second, double burst, std::size_t places_max)
      : per_second_(per_second),
        burst_(burst),
        places_max_(places_max),
        others_(per_second, burst) {}

  /// False: this place has had its share.
  bool take(TimePoint now, const IpAddress& source);
  std::size_t places() const { return places_.size(); }

 private:
  double per_second_;
  double burst_;
  std::size_t places_max_;
  TokenBucket others_;
  std::unordered_map<IpAddress, TokenBucket> places_;
  std::optional<TimePoint> swept_;
};

}  // namespace trellis
