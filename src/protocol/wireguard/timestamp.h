#pragma once

#include "base/bytes.h"
#include "base/time.h"

#include <compare>

namespace trellis::wireguard {

/// A time as it lies on the wire: 8 bytes of TAI seconds from 2^62, 4 of nanoseconds, big endian,
/// so that bytes compare as times. [WG 5.4.2]
struct Tai64n {
  Bytes<12> bytes{};

  static Tai64n from_unix(WallTime time);
  friend auto operator<=>(const Tai64n&, const Tai64n&) = default;
};

/// Where the times of our own initiations come from. Each is later than all before it, across
/// restarts and whatever the wall clock does. [pair rule 8]
class TimestampSource {
 public:
  virtual ~TimestampSource() = default;
  virtual Tai64n next() = 0;
};

}  // namespace trellis::wireguard
