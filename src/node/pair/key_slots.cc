#include "node/pair/key_slots.h"

#include <algorithm>

namespace trellis::pair {

void KeySlots::hold(Slot pending) {
  retire(pending_);
  pending_ = std::move(pending);
}

bool KeySlots::prove(KeyNumber number) {
  if (!pending_ || pending_->number != number) return false;
  retire(current_);
  current_ = std::move(pending_);
  pending_.reset();
  return true;
}

void KeySlots::accept(Slot current) {
  retire(current_);
  current_ = std::move(current);
}

void KeySlots::release(KeyNumber number) {
  if (pending_ && pending_->number == number) retire(pending_);
}

bool KeySlots::expire(TimePoint now) {
  const auto old = [now](const Slot& slot) { return now - slot.age_from >= kKeyLifetime; };
  const std::size_t before = retired_.size();
  bool gone = false;
  for (auto* slot : {&current_, &pending_}) {
    if (!*slot || !old(**slot)) continue;
    slot->reset();
    gone = true;
  }
  std::erase_if(retired_, old);
  return gone || retired_.size() != before;
}

std::optional<TimePoint> KeySlots::next_expiry() const {
  std::optional<TimePoint> first;
  const auto consider = [&](const Slot& slot) {
    first = earlier(first, slot.age_from + kKeyLifetime);
  };
  if (current_) consider(*current_);
  if (pending_) consider(*pending_);
  for (const Slot& slot : retired_) consider(slot);
  return first;
}

void KeySlots::retire(std::optional<Slot>& slot) {
  if (!slot) return;
  retired_.push_back(std::move(*slot));
  slot.reset();
  if (retired_.size() > kRetiredMax) retired_.erase(retired_.begin());
}

}  // namespace trellis::pair
