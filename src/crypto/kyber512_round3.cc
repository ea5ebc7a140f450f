// Kyber-512 as submitted to round 3, over ML-KEM-512. The two share key format, lattice and
// ciphertext; they differ in what is hashed around them:
//   m        round 3 hashes the random message first: ML-KEM is given SHA3-256(m)
//   secret   round 3 hashes K' and the ciphertext once more: SHAKE256(K' || SHA3-256(c))
//   reject   round 3 puts z in the place of K', ML-KEM SHAKE256(z || c)

#include "crypto/kyber512_round3.h"

#include "crypto/hash.h"
#include "crypto/ml_kem.h"

namespace trellis::crypto {
namespace {

constexpr const char* kMlKem512 = "ML-KEM-512";

SharedSecret final_secret(const SharedSecret& inner, ByteView ciphertext) {
  const Digest hash = sha3_256(ciphertext);
  return SharedSecret::make([&](auto target) { shake256({inner.expose(), hash}, target); });
}

/// All ones if the two are equal, else zero.
std::uint8_t equality_mask(std::span<const std::byte, 32> a, std::span<const std::byte, 32> b) {
  std::uint32_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= std::to_integer<std::uint32_t>(a[i] ^ b[i]);
  }
  // 0 - 1 borrows into the high bits; any other byte value does not.
  return static_cast<std::uint8_t>((difference - 1) >> 24);
}

class Kyber512Round3 final : public Kem {
 public:
  std::string_view name() const override { return "kyber512"; }
  KemSizes sizes() const override { return {800, 1632, 768}; }

  KemKeyPair generate(Random& random) const override {
    const auto seed =
        SecretBytes<struct SeedTag, 64>::make([&](auto target) { random.fill(target); });
    return ml_kem::generate(kMlKem512, seed.expose());
  }

  Expected<Encapsulation, KemError> encapsulate(ByteView public_key,
                                                Random& random) const override {
    const auto drawn = SharedSecret::make([&](auto target) { random.fill(target); });
    Digest message = sha3_256(drawn.expose());
    auto inner = ml_kem::encapsulate(kMlKem512, sizes(), public_key, message);
    zeroise(message);
    if (!inner) return fail(inner.error());
    auto secret = final_secret(inner->secret, inner->ciphertext);
    return Encapsulation{std::move(inner->ciphertext), std::move(secret)};
  }

  Expected<SharedSecret, KemError> decapsulate(ByteView secret_key,
                                               ByteView ciphertext) const override {
    SharedSecret inner = TRY(ml_kem::decapsulate(kMlKem512, sizes(), secret_key, ciphertext));
    return kyber512_round3_parts::finish_decapsulation(std::move(inner), secret_key.last<32>(),
                                                       ciphertext);
  }
};

}  // namespace

namespace kyber512_round3_parts {

SharedSecret finish_decapsulation(SharedSecret inner, std::span<const std::byte, 32> z,
                                  ByteView ciphertext) {
  const auto rejected = SharedSecret::make([&](auto target) { shake256({z, ciphertext}, target); });
  const auto mask = std::byte{equality_mask(inner.expose(), rejected.expose())};
  const auto chosen = SharedSecret::make([&](std::span<std::byte, 32> target) {
    const auto kept = inner.expose();
    for (std::size_t i = 0; i < target.size(); ++i) {
      target[i] = (kept[i] & ~mask) | (z[i] & mask);
    }
  });
  return final_secret(chosen, ciphertext);
}

}  // namespace kyber512_round3_parts

const Kem& kyber512_round3() {
  static const Kyber512Round3 kem;
  return kem;
}

}  // namespace trellis::crypto
