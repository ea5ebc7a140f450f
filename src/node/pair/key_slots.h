#pragma once

#include "base/time.h"
#include "crypto/keys.h"

#include <optional>
#include <vector>

namespace trellis::pair {

/// Names a preshared key of a pair. It is the number of the exchange that made it.
enum class KeyNumber : std::uint64_t {};

/// A key leaves every slot at this age, counted from its exchange. [pair rule 7]
constexpr Duration kKeyLifetime = 180s;

/// The preshared keys that are live between two ends. [pair rule 1]
///
///             hold                     prove
///   (nothing) ----> pending -----------------------------> current
///                      \  release                          |
///   (nothing) -----------------------------> current       | displaced by the next current
///                accept \                                  v
///                        `-------------------------> retired (3 at most) ----> (wiped at 180 s)
///
/// As WireGuard responder only `current` is mixed; as initiator all are tried.
class KeySlots {
 public:
  struct Slot {
    KeyNumber number;
    crypto::PresharedKey key;
    TimePoint age_from;  // of the exchange, not of its end
  };
  static constexpr std::size_t kRetiredMax = 3;

  /// Our InitConf is out: the key is ours, not yet proven to be the peer's.
  void hold(Slot pending);
  /// The peer has shown that it holds the pending key. False if `number` is not the pending one.
  bool prove(KeyNumber number);
  /// The peer's InitConf made this key; it is current at once.
  void accept(Slot current);
  /// Our exchange stopped: the key may be in use at the peer, so it stays live, but not pending.
  void release(KeyNumber number);
  /// Wipes what has reached its age. True if something went.
  bool expire(TimePoint now);

  std::optional<TimePoint> next_expiry() const;
  const std::optional<Slot>& current() const { return current_; }
  const std::optional<Slot>& pending() const { return pending_; }
  const std::vector<Slot>& retired() const { return retired_; }
  bool empty() const { return !current_ && !pending_ && retired_.empty(); }

 private:
  void retire(std::optional<Slot>& slot);

  std::optional<Slot> current_;
  std::optional<Slot> pending_;
  std::vector<Slot> retired_;  // oldest first
};

}  // namespace trellis::pair
