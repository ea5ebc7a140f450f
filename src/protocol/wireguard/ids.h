#pragma once

#include "crypto/keys.h"

#include <cstdint>

namespace trellis::wireguard {

/// A peer of one device. Never used again after the peer's removal.
enum class PeerId : std::uint32_t {};
/// Names a preshared key of a peer; chosen by the device's owner.
enum class KeyId : std::uint64_t {};
/// Names a session or a running handshake to the other end. Random. [WG 5.4.2]
enum class SessionIndex : std::uint32_t {};

enum class Role : std::uint8_t { Initiator, Responder };

/// A preshared key that may be tried.
struct LiveKey {
  KeyId id{};
  crypto::PresharedKey key;
};

}  // namespace trellis::wireguard
