#pragma once

#include "base/address.h"
#include "base/time.h"
#include "protocol/rosenpass/key.h"

#include <cstdint>
#include <optional>
#include <variant>

namespace trellis::rosenpass {

/// A peer of one node. Never used again after the peer's removal.
enum class PeerId : std::uint32_t {};
/// One exchange, in either role. Rises, and is never used again by that node.
enum class ExchangeId : std::uint64_t {};

// What a node tells its owner, in order. A key's life of 180 s counts from `age_from`. [pair rule
// 7]

/// As initiator: RespHello came and InitConf is out. The other end may have this key or not: try
/// it, use it for nothing else. Ends in Proven or Released of the same exchange.
struct Pending {
  PeerId peer;
  ExchangeId exchange;
  OutputKey osk;
  TimePoint age_from;
};

/// As initiator: the other end has the key. It is current now.
struct Proven {
  PeerId peer;
  ExchangeId exchange;
};

/// As responder: InitConf came. The key is current at once.
struct Accepted {
  PeerId peer;
  ExchangeId exchange;
  OutputKey osk;
  TimePoint age_from;
  Endpoint from;  // authentic, but somebody on the way may have moved it
};

/// As initiator: our exchange was stopped or replaced. Its key stays live (it may be tried) until
/// it is 180 s old, but will not be proven any more.
struct Released {
  PeerId peer;
  ExchangeId exchange;
};

/// The current key became 180 s old and nothing replaced it.
struct Expired {
  PeerId peer;
  ExchangeId exchange;
};

using Event = std::variant<Pending, Proven, Accepted, Released, Expired>;

/// A datagram to send. Without a peer it answers one whose sender is not known yet.
struct Transmit {
  std::optional<PeerId> peer;
  Endpoint to;
  ByteVector bytes;
};

}  // namespace trellis::rosenpass
