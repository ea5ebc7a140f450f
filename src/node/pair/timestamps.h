#pragma once

#include "base/time.h"
#include "protocol/wireguard/timestamp.h"

#include <optional>

namespace trellis::pair {

/// The TAI64N times of our WireGuard initiations: never one twice, and never an earlier one,
/// whatever the wall clock does and across restarts. [pair rule 8]
///
/// What may be sent is reserved in the state file ahead of time: `reservation()` must be on disk
/// before the packets that were made since are sent. A restart goes on from the reserved mark.
class Timestamps final : public wireguard::TimestampSource {
 public:
  /// `reserved`: the mark of the state file, or the default of a new one.
  explicit Timestamps(WallTime reserved) : last_(reserved), reserved_(reserved) {}

  /// To be told before each call into the engines.
  void set_wall_clock(WallTime now) { wall_ = now; }
  wireguard::Tai64n next() override;

  WallTime reserved() const { return reserved_; }

 private:
  // Long enough that a busy host writes its state once a minute at most, short enough that many
  // restarts in a row do not lead far into the future.
  static constexpr Duration kAhead = 60s;

  WallTime wall_;
  WallTime last_;
  WallTime reserved_;
};

}  // namespace trellis::pair
