#include "protocol/wireguard/timestamp.h"

#include <cstring>

namespace trellis::wireguard {

Tai64n Tai64n::from_unix(WallTime time) {
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  // TAI was 10 s ahead of UTC when Unix time began; leap seconds since are left out by everybody.
  constexpr std::uint64_t kEpoch = 0x4000'0000'0000'000aULL;
  std::int64_t seconds = time.nanoseconds_since_epoch / kPerSecond;
  std::int64_t nanoseconds = time.nanoseconds_since_epoch % kPerSecond;
  if (nanoseconds < 0) {
    nanoseconds += kPerSecond;
    seconds -= 1;
  }
  const be64 whole = kEpoch + static_cast<std::uint64_t>(seconds);
  const be32 part = static_cast<std::uint32_t>(nanoseconds);
  Tai64n result;
  std::memcpy(result.bytes.data(), &whole, sizeof whole);
  std::memcpy(result.bytes.data() + sizeof whole, &part, sizeof part);
  return result;
}

}  // namespace trellis::wireguard
