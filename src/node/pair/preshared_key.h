#pragma once

#include "crypto/keys.h"

namespace trellis::pair {

/// The WireGuard preshared key of an exchange, bound to both identities, so that a key made with
/// one machine cannot serve between others: [pair rule 4]
///
///   HMAC-BLAKE2s(osk, "trellis wireguard psk" || lower || higher WireGuard public key)
crypto::PresharedKey bind_to_identities(std::span<const std::byte, 32> output_key,
                                        const crypto::PublicKey& one,
                                        const crypto::PublicKey& other);

}  // namespace trellis::pair
