#pragma once

#include "base/time.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trellis::wireguard {

// The names of the paper. [WG 5.4, 6.1]
constexpr std::string_view kConstruction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
constexpr std::string_view kIdentifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";
constexpr std::string_view kLabelMac1 = "mac1----";
constexpr std::string_view kLabelCookie = "cookie--";

constexpr std::uint64_t kRekeyAfterMessages = std::uint64_t{1} << 60;
constexpr std::uint64_t kRejectAfterMessages = ~std::uint64_t{0} - (std::uint64_t{1} << 13);
constexpr Duration kRekeyAfterTime = 120s;
constexpr Duration kRejectAfterTime = 180s;
constexpr Duration kRekeyAttemptTime = 90s;
constexpr Duration kRekeyTimeout = 5s;
constexpr Duration kKeepaliveTimeout = 10s;

// Not in the paper's table, but in its text or in every implementation.
constexpr Duration kRekeyJitterMax = 333ms;            // added to each retry [WG 6.1]
constexpr Duration kCookieLifetime = 120s;             // of a secret and of a cookie [WG 5.4.7]
constexpr Duration kInitiationInterval = 20ms;         // of one peer, as responder, at least
constexpr std::size_t kPaddingUnit = 16;               // [WG 5.4.6]
constexpr std::size_t kStagedPacketsMax = 128;         // of one peer, waiting for a session
constexpr std::uint8_t kHandshakeTrafficClass = 0x88;  // DSCP AF41, as the kernel's
constexpr Duration kPathLimitLasts = 600s;         // then a longer datagram is tried [RFC 1191 6.3]
constexpr std::size_t kPathPayloadMin = 576 - 28;  // of a datagram: below it nobody is believed

}  // namespace trellis::wireguard
