#include "protocol/wireguard/session_slots.h"

#include "protocol/wireguard/constants.h"

#include <algorithm>

namespace trellis::wireguard {

void SessionSlots::install_initiated(std::unique_ptr<Session> session) {
  displace(previous_);
  if (next_) {
    previous_ = std::move(next_);
    displace(current_);
  } else {
    previous_ = std::move(current_);
  }
  current_ = std::move(session);
}

void SessionSlots::install_responded(std::unique_ptr<Session> session) {
  displace(previous_);
  displace(next_);
  next_ = std::move(session);
}

bool SessionSlots::confirm(const Session& session) {
  if (&session != next_.get()) return false;
  displace(previous_);
  previous_ = std::move(current_);
  current_ = std::move(next_);
  return true;
}

Session* SessionSlots::find(SessionIndex index) {
  Session* result = nullptr;
  for_each([&](const Slot& slot) {
    if (slot && slot->local() == index) result = slot.get();
  });
  return result;
}

void SessionSlots::drop_expired(TimePoint now) {
  for_each([&](Slot& slot) {
    if (slot && slot->expired(now)) drop(slot);
  });
}

std::optional<TimePoint> SessionSlots::next_expiry() const {
  std::optional<TimePoint> result;
  const auto visit = [&](const Slot& slot) {
    if (slot) result = earlier(result, slot->made() + kRejectAfterTime);
  };
  for (const Slot* slot : {&current_, &next_, &previous_}) visit(*slot);
  for (const Slot& slot : displaced_) visit(slot);
  return result;
}

void SessionSlots::clear() {
  for_each([&](Slot& slot) { drop(slot); });
}

void SessionSlots::displace(Slot& slot) {
  if (!slot) return;
  drop(displaced_.back());
  std::move_backward(displaced_.begin(), displaced_.end() - 1, displaced_.end());
  displaced_.front() = std::move(slot);
}

void SessionSlots::drop(Slot& slot) {
  if (!slot) return;
  indices_->release(slot->local());
  slot.reset();
}

template <class Visit>
void SessionSlots::for_each(Visit visit) {
  for (Slot* slot : {&current_, &next_, &previous_}) visit(*slot);
  for (Slot& slot : displaced_) visit(slot);
}

}  // namespace trellis::wireguard
