#pragma once

#include "protocol/wireguard/index_table.h"
#include "protocol/wireguard/session.h"

#include <memory>
#include <optional>

namespace trellis::wireguard {

/// The sessions of one peer. [WG 6.1, pair rules' table]
///
///   install_initiated:  new -> current,  next or else current -> previous
///   install_responded:  new -> next,     previous is dropped
///   confirm(next):      next -> current, current -> previous
///
/// Data goes out under `current` only: we do not know that the other end has `next` before it sends
/// something under it. All three receive.
class SessionSlots {
 public:
  explicit SessionSlots(IndexTable& indices) : indices_(&indices) {}
  SessionSlots(const SessionSlots&) = delete;
  SessionSlots& operator=(const SessionSlots&) = delete;
  ~SessionSlots() { clear(); }

  void install_initiated(std::unique_ptr<Session> session);
  void install_responded(std::unique_ptr<Session> session);
  /// The other end has sent under this session. True if it was `next`, and so is current now.
  bool confirm(const Session& session);

  Session* current() { return current_.get(); }
  const Session* current() const { return current_.get(); }
  Session* find(SessionIndex index);
  void drop_expired(TimePoint now);
  /// When `drop_expired` will have something to do.
  std::optional<TimePoint> next_expiry() const;
  void clear();

 private:
  using Slot = std::unique_ptr<Session>;
  void drop(Slot& slot);

  IndexTable* indices_;
  Slot current_;
  Slot previous_;
  Slot next_;
};

}  // namespace trellis::wireguard
