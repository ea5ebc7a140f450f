#include "node/pair/preshared_key.h"

#include "crypto/hash.h"

#include <algorithm>

namespace trellis::pair {

crypto::PresharedKey bind_to_identities(std::span<const std::byte, 32> output_key,
                                        const crypto::PublicKey& one,
                                        const crypto::PublicKey& other) {
  const auto& [lower, higher] = std::minmax(one, other);
  const crypto::SymmetricKey bound = crypto::hmac_blake2s(
      output_key, {as_bytes("trellis wireguard psk"), lower.bytes, higher.bytes});
  return crypto::PresharedKey(bound.expose());
}

}  // namespace trellis::pair
