#pragma once

// Internal to crypto: ML-KEM of OpenSSL, with everything that it draws given by the caller.

#include "crypto/kem.h"

namespace trellis::crypto::ml_kem {

/// "ML-KEM-512" or "ML-KEM-768".
using Name = const char*;

/// `seed`: d and z, 32 bytes each. [FIPS 203 7.1]
KemKeyPair generate(Name name, std::span<const std::byte, 64> seed);
/// `message`: m of ML-KEM.Encaps_internal. [FIPS 203 6.2]
Expected<Encapsulation, KemError> encapsulate(Name name, KemSizes sizes, ByteView public_key,
                                              std::span<const std::byte, 32> message);
Expected<SharedSecret, KemError> decapsulate(Name name, KemSizes sizes, ByteView secret_key,
                                             ByteView ciphertext);

}  // namespace trellis::crypto::ml_kem
