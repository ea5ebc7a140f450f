#pragma once

#include "protocol/wireguard/index_table.h"
#include "protocol/wireguard/session.h"

#include <array>
#include <memory>
#include <optional>

namespace trellis::wireguard {

/// The sessions of one peer. [WG 6.1, pair rules' table]
///
///   install_initiated:  new -> current,  next or else current -> previous
///   install_responded:  new -> next,     previous is displaced
///   confirm(next):      next -> current, current -> previous
///
/// Data goes out under `current` only: we do not know that the other end has `next` before it sends
/// something under it. All receive, the displaced ones too, while they are not expired: where two
/// handshakes cross, or a response is lost, the other end may go on to send under one of them.
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
  static constexpr std::size_t kDisplacedMax = 4;

  void displace(Slot& slot);
  void drop(Slot& slot);
  template <class Visit>
  void for_each(Visit visit);

  IndexTable* indices_;
  Slot current_;
  Slot previous_;
  Slot next_;
  std::array<Slot, kDisplacedMax> displaced_;  // newest first
};

}  // namespace trellis::wireguard
