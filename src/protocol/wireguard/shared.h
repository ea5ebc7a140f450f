#pragma once

#include "protocol/wireguard/config.h"
#include "protocol/wireguard/counters.h"
#include "protocol/wireguard/event.h"
#include "protocol/wireguard/index_table.h"
#include "protocol/wireguard/noise.h"
#include "protocol/wireguard/timestamp.h"

#include <deque>

namespace trellis::wireguard {

/// What the peers of one device have in common. Internal to the module.
struct Shared {
  Config config;
  std::optional<Identity> identity;
  Random& random;
  TimestampSource& timestamps;
  IndexTable indices{};
  std::deque<Transmit> outbox{};
  std::deque<Event> events{};
  Counters counters{};
};

}  // namespace trellis::wireguard
