#include "protocol/wireguard/session_slots.h"

#include "protocol/wireguard/constants.h"

namespace trellis::wireguard {

void SessionSlots::install_initiated(std::unique_ptr<Session> session) {
  drop(previous_);
  if (next_) {
    previous_ = std::move(next_);
    drop(current_);
  } else {
    previous_ = std::move(current_);
  }
  current_ = std::move(session);
}

void SessionSlots::install_responded(std::unique_ptr<Session> session) {
  drop(previous_);
  drop(next_);
  next_ = std::move(session);
}

bool SessionSlots::confirm(const Session& session) {
  if (&session != next_.get()) return false;
  drop(previous_);
  previous_ = std::move(current_);
  current_ = std::move(next_);
  return true;
}

Session* SessionSlots::find(SessionIndex index) {
  for (const Slot* slot : {&current_, &next_, &previous_}) {
    if (*slot && (*slot)->local() == index) return slot->get();
  }
  return nullptr;
}

void SessionSlots::drop_expired(TimePoint now) {
  for (Slot* slot : {&current_, &next_, &previous_}) {
    if (*slot && (*slot)->expired(now)) drop(*slot);
  }
}

std::optional<TimePoint> SessionSlots::next_expiry() const {
  std::optional<TimePoint> result;
  for (const Slot* slot : {&current_, &next_, &previous_}) {
    if (*slot) result = earlier(result, (*slot)->made() + kRejectAfterTime);
  }
  return result;
}

void SessionSlots::clear() {
  for (Slot* slot : {&current_, &next_, &previous_}) drop(*slot);
}

void SessionSlots::drop(Slot& slot) {
  if (!slot) return;
  indices_->release(slot->local());
  slot.reset();
}

}  // namespace trellis::wireguard
