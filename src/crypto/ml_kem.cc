#include "crypto/ml_kem.h"

#include "crypto/openssl.h"

namespace trellis::crypto {

using openssl::algorithms;
using openssl::Owned;
using openssl::uchar;

namespace ml_kem {
namespace {

ByteVector exported(EVP_PKEY* key, const char* parameter) {
  std::size_t size = 0;
  CHECK(EVP_PKEY_get_octet_string_param(key, parameter, nullptr, 0, &size) == 1);
  ByteVector bytes(size);
  CHECK(EVP_PKEY_get_octet_string_param(key, parameter, uchar(bytes.data()), size, &size) == 1);
  return bytes;
}

OSSL_PARAM octets(const char* name, ByteView bytes) {
  // OpenSSL's parameter type is not const, but these are only read.
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                           bytes.size());
}

}  // namespace

KemKeyPair generate(Name name, std::span<const std::byte, 64> seed) {
  const Owned<EVP_PKEY_CTX> context(
      EVP_PKEY_CTX_new_from_name(algorithms().library, name, nullptr));
  CHECK(context != nullptr && EVP_PKEY_keygen_init(context.get()) == 1);
  const OSSL_PARAM parameters[] = {octets(OSSL_PKEY_PARAM_ML_KEM_SEED, seed),
                                   OSSL_PARAM_construct_end()};
  CHECK(EVP_PKEY_CTX_set_params(context.get(), parameters) == 1);
  EVP_PKEY* generated = nullptr;
  CHECK(EVP_PKEY_generate(context.get(), &generated) == 1);
  const Owned<EVP_PKEY> key(generated);
  ByteVector secret = exported(key.get(), OSSL_PKEY_PARAM_PRIV_KEY);
  KemKeyPair pair{exported(key.get(), OSSL_PKEY_PARAM_PUB_KEY), SecretBuffer(ByteView(secret))};
  zeroise(secret);
  return pair;
}

Expected<Encapsulation, KemError> encapsulate(Name name, KemSizes sizes, ByteView public_key,
                                              std::span<const std::byte, 32> message) {
  if (public_key.size() != sizes.public_key) return fail(KemError::WrongSize);
  const Owned<EVP_PKEY> key(EVP_PKEY_new_raw_public_key_ex(
      algorithms().library, name, nullptr, uchar(public_key.data()), public_key.size()));
  if (!key) return fail(KemError::InvalidKey);
  const Owned<EVP_PKEY_CTX> context(
      EVP_PKEY_CTX_new_from_pkey(algorithms().library, key.get(), nullptr));
  const OSSL_PARAM parameters[] = {octets(OSSL_KEM_PARAM_IKME, message),
                                   OSSL_PARAM_construct_end()};
  CHECK(context != nullptr && EVP_PKEY_encapsulate_init(context.get(), parameters) == 1);
  ByteVector ciphertext(sizes.ciphertext);
  std::size_t ciphertext_size = ciphertext.size();
  auto secret = SharedSecret::make([&](std::span<std::byte, 32> target) {
    std::size_t size = target.size();
    CHECK(EVP_PKEY_encapsulate(context.get(), uchar(ciphertext.data()), &ciphertext_size,
                               uchar(target.data()), &size) == 1);
    CHECK(size == target.size() && ciphertext_size == ciphertext.size());
  });
  return Encapsulation{std::move(ciphertext), std::move(secret)};
}

Expected<SharedSecret, KemError> decapsulate(Name name, KemSizes sizes, ByteView secret_key,
                                             ByteView ciphertext) {
  if (secret_key.size() != sizes.secret_key || ciphertext.size() != sizes.ciphertext) {
    return fail(KemError::WrongSize);
  }
  const Owned<EVP_PKEY> key(EVP_PKEY_new_raw_private_key_ex(
      algorithms().library, name, nullptr, uchar(secret_key.data()), secret_key.size()));
  if (!key) return fail(KemError::InvalidKey);
  const Owned<EVP_PKEY_CTX> context(
      EVP_PKEY_CTX_new_from_pkey(algorithms().library, key.get(), nullptr));
  CHECK(context != nullptr && EVP_PKEY_decapsulate_init(context.get(), nullptr) == 1);
  return SharedSecret::make([&](std::span<std::byte, 32> target) {
    std::size_t size = target.size();
    CHECK(EVP_PKEY_decapsulate(context.get(), uchar(target.data()), &size, uchar(ciphertext.data()),
                               ciphertext.size()) == 1);
    CHECK(size == target.size());
  });
}

}  // namespace ml_kem

namespace {

constexpr const char* kMlKem768 = "ML-KEM-768";

class MlKem768 final : public Kem {
 public:
  std::string_view name() const override { return "mlkem768"; }
  KemSizes sizes() const override { return {1184, 2400, 1088}; }

  KemKeyPair generate(Random& random) const override {
    const auto seed =
        SecretBytes<struct SeedTag, 64>::make([&](auto target) { random.fill(target); });
    return ml_kem::generate(kMlKem768, seed.expose());
  }
  Expected<Encapsulation, KemError> encapsulate(ByteView public_key,
                                                Random& random) const override {
    const auto message = SharedSecret::make([&](auto target) { random.fill(target); });
    return ml_kem::encapsulate(kMlKem768, sizes(), public_key, message.expose());
  }
  Expected<SharedSecret, KemError> decapsulate(ByteView secret_key,
                                               ByteView ciphertext) const override {
    return ml_kem::decapsulate(kMlKem768, sizes(), secret_key, ciphertext);
  }
};

}  // namespace

const Kem& ml_kem_768() {
  static const MlKem768 kem;
  return kem;
}

}  // namespace trellis::crypto
