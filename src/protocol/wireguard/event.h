#pragma once

#include "base/address.h"
#include "base/time.h"
#include "protocol/wireguard/ids.h"

#include <optional>
#include <variant>

namespace trellis::wireguard {

// What a device tells its owner, in order.

/// A session carries packets from now on. As initiator: its response opened under `key`. As
/// responder: the first data came under it.
struct SessionEstablished {
  PeerId peer;
  Role role;
  KeyId key;
  TimePoint at;
};

/// As responder: a fresh initiation was answered under `key`.
struct InitiationAccepted {
  PeerId peer;
  KeyId key;
};

/// Our initiation had no answer within the retry time. It is repeated, until kRekeyAttemptTime is
/// over.
struct HandshakeUnanswered {
  PeerId peer;
  std::uint32_t attempt;  // 1 for the first
};

/// User data waits, but the peer has no current key, so no handshake may begin. At most once a
/// second for each peer.
struct KeyNeeded {
  PeerId peer;
};

/// A fresh authenticated message came from another address than the peer's endpoint. With
/// Roaming::Follow the endpoint has moved; with Roaming::Report it has not, and this is told at
/// most once a second for the same address.
struct Moved {
  PeerId peer;
  Endpoint endpoint;
};

using Event =
    std::variant<SessionEstablished, InitiationAccepted, HandshakeUnanswered, KeyNeeded, Moved>;

/// A datagram of the device's own making: handshakes, keepalives, packets that had to wait. Without
/// a peer it is a cookie reply.
struct Transmit {
  std::optional<PeerId> peer;
  Endpoint to;
  ByteVector bytes;
  std::uint8_t traffic_class = 0;  // for the IP header around it
  bool may_be_fragmented = true;   // smaller it cannot be made
};

}  // namespace trellis::wireguard
