#pragma once

#include "base/time.h"
#include "crypto/keys.h"
#include "protocol/wireguard/constants.h"

#include <optional>

namespace trellis::wireguard {

/// Whether the device sends to where a peer was heard last, or leaves that to its owner.
enum class Roaming : std::uint8_t { Follow, Report };
/// What start_handshake does with one that runs.
enum class Running : std::uint8_t { Keep, Cancel };

struct Config {
  std::optional<crypto::PrivateKey> private_key;  // without one nothing is sent or answered
  Roaming roaming = Roaming::Follow;
  Duration handshake_retry = kRekeyTimeout;
  /// Age at which an initiator that sends asks for the next session. More than the paper's where
  /// somebody else begins handshakes in time, so that two do not cross.
  Duration rekey_after_time = kRekeyAfterTime;
  std::size_t mtu = 1420;  // padding does not go beyond it
  /// Of handshake messages' IP headers; data has the ECN bits of its inner packet.
  std::uint8_t handshake_traffic_class = kHandshakeTrafficClass;
  /// Of each session's packets. Tests begin near the end, which nobody reaches by sending.
  std::uint64_t first_counter = 0;
  /// Handshake messages of all peers that are worked on; above half of it cookies are asked for.
  std::uint32_t handshakes_per_second = 500;
};

}  // namespace trellis::wireguard
