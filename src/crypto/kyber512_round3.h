#pragma once

#include "crypto/keys.h"

namespace trellis::crypto::kyber512_round3_parts {

/// The secret of round 3 from what ML-KEM-512 decapsulates. If `inner` is ML-KEM's implicit
/// rejection, SHAKE256(z || ciphertext), it is replaced by z, as round 3 rejects. No branch and no
/// address depends on a secret. `z` is the last 32 bytes of the secret key.
SharedSecret finish_decapsulation(SharedSecret inner, std::span<const std::byte, 32> z,
                                  ByteView ciphertext);

}  // namespace trellis::crypto::kyber512_round3_parts
