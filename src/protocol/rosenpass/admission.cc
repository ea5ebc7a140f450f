#include "protocol/rosenpass/admission.h"

#include <algorithm>

namespace trellis::rosenpass {

void WorkBudget::fill(TimePoint now) {
  if (now <= filled_at_) return;
  // An hour fills any budget; the bound keeps the product far from overflow.
  const Duration passed = std::min<Duration>(now - filled_at_, 1h);
  filled_at_ = now;
  const auto earned = static_cast<Duration::rep>(static_cast<double>(passed.count()) * share_);
  saved_ = std::min(burst_, saved_ + Duration(earned));
}

bool WorkBudget::affords(TimePoint now, Duration cost) {
  fill(now);
  return saved_ >= cost;
}

void WorkBudget::spend(TimePoint now, Duration cost) {
  fill(now);
  saved_ -= cost;
}

bool WorkBudget::take(TimePoint now, Duration cost) {
  if (!affords(now, cost)) return false;
  saved_ -= cost;
  return true;
}

void WorkBudget::resize(double share, Duration burst) {
  saved_ = saved_ + std::max(burst - burst_, Duration::zero());
  share_ = share;
  burst_ = burst;
  saved_ = std::min(saved_, burst_);
}

}  // namespace trellis::rosenpass
