#pragma once

#include "base/random.h"
#include "base/result.h"
#include "crypto/keys.h"

#include <string_view>

namespace trellis::crypto {

enum class KemError {
  WrongSize,   // a key or ciphertext has not the size that this KEM needs
  InvalidKey,  // of the right size, but no key
};

struct KemSizes {
  std::size_t public_key;
  std::size_t secret_key;
  std::size_t ciphertext;
  // A shared secret always has 32 bytes.
};

struct KemKeyPair {
  ByteVector public_key;
  SecretBuffer secret_key;
};

struct Encapsulation {
  ByteVector ciphertext;
  SharedSecret secret;
};

/// A key encapsulation mechanism. Stateless; one object serves all threads. A ciphertext that was
/// not made for the key yields a secret that nobody has (implicit rejection), not an error.
class Kem {
 public:
  virtual ~Kem() = default;
  virtual std::string_view name() const = 0;
  virtual KemSizes sizes() const = 0;
  virtual KemKeyPair generate(Random& random) const = 0;
  virtual Expected<Encapsulation, KemError> encapsulate(ByteView public_key,
                                                        Random& random) const = 0;
  virtual Expected<SharedSecret, KemError> decapsulate(ByteView secret_key,
                                                       ByteView ciphertext) const = 0;
};

const Kem& kyber512_round3();   // not ML-KEM: same sizes, other secrets
const Kem& ml_kem_768();        // [FIPS 203]
const Kem& mceliece460896pc();  // with plaintext confirmation: ciphertexts of 188 bytes
const Kem& mceliece460896();    // [ISO 18033-2:2006/Amd 2]: ciphertexts of 156 bytes

/// What a Rosenpass exchange is made of. The number is the first byte of a key's name. [pair rule
/// 5]
struct Suite {
  std::uint8_t number;
  std::string_view name;
  const Kem* static_kem;
  const Kem* ephemeral_kem;
};

/// 1: what is deployed as Rosenpass "V02": mceliece460896pc and Kyber-512 round 3.
const Suite& suite_rosenpass();
/// The same keys with ciphertexts of 156 bytes, as Rust rosenpass had them between its releases of
/// 2024 and 2026. The number is that of the keys.
const Suite& suite_rosenpass_156();
/// Nothing if no suite has that number.
const Suite* find_suite(std::uint8_t number);

}  // namespace trellis::crypto
