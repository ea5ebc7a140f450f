#include "node/link/static_link.h"

#include <algorithm>

namespace trellis::link {

void StaticLink::set_configured(std::vector<Endpoint> endpoints) {
  if (endpoints == configured_) return;
  configured_ = std::move(endpoints);
  const bool path_is_known =
      path_ && (path_ == learned_ ||
                std::find(configured_.begin(), configured_.end(), *path_) != configured_.end());
  if (path_is_known) return;
  path_ = configured_.empty() ? learned_ : std::optional(configured_.front());
}

bool StaticLink::authenticated(const Endpoint& from) {
  learned_ = from;
  return move_to(from);
}

bool StaticLink::unanswered() {
  std::vector<Endpoint> candidates = configured_;
  if (learned_ && std::find(candidates.begin(), candidates.end(), *learned_) == candidates.end()) {
    candidates.push_back(*learned_);
  }
  if (candidates.empty()) return false;
  const auto here =
      path_ ? std::find(candidates.begin(), candidates.end(), *path_) : candidates.end();
  const bool last = here == candidates.end() || here + 1 == candidates.end();
  return move_to(last ? candidates.front() : *(here + 1));
}

bool StaticLink::move_to(const Endpoint& endpoint) {
  if (path_ == endpoint) return false;
  path_ = endpoint;
  return true;
}

}  // namespace trellis::link
