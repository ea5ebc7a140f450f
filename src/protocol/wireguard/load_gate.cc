#include "protocol/wireguard/load_gate.h"

#include <algorithm>

namespace trellis::wireguard {

LoadGate::LoadGate(std::uint32_t handshakes_per_second)
    : arrivals_(handshakes_per_second / 2.0, std::max(1.0, handshakes_per_second / 8.0)),
      work_(handshakes_per_second, std::max(1.0, handshakes_per_second / 4.0)),
      cookies_(4.0 * handshakes_per_second, handshakes_per_second),
      known_cookies_(handshakes_per_second, std::max(1.0, handshakes_per_second / 4.0)) {}

bool LoadGate::note_arrival(TimePoint now) {
  if (!arrivals_.take(now)) loaded_until_ = now + kLoadLasts;
  return loaded(now);
}

}  // namespace trellis::wireguard
