#include "crypto/kem.h"
#include "crypto/openssl.h"

#include <mceliece.h>

namespace trellis::crypto {
namespace {

/// The generator that libmceliece draws from while one of its functions runs in this thread.
thread_local Random* t_random = nullptr;

class DrawFrom {
 public:
  explicit DrawFrom(Random& random) : previous_(t_random) { t_random = &random; }
  DrawFrom(const DrawFrom&) = delete;
  DrawFrom& operator=(const DrawFrom&) = delete;
  ~DrawFrom() { t_random = previous_; }

 private:
  Random* previous_;
};

}  // namespace

namespace internal {
void draw_for_mceliece(MutableByteView target) {
  CHECK(t_random != nullptr);
  t_random->fill(target);
}
}  // namespace internal

namespace {

using openssl::uchar;

struct Functions {
  std::string_view name;
  KemSizes sizes;
  void (*keypair)(unsigned char* public_key, unsigned char* secret_key);
  int (*encapsulate)(unsigned char* ciphertext, unsigned char* secret,
                     const unsigned char* public_key);
  int (*decapsulate)(unsigned char* secret, const unsigned char* ciphertext,
                     const unsigned char* secret_key);
};

class McEliece final : public Kem {
 public:
  explicit McEliece(const Functions& functions) : functions_(functions) {}
  std::string_view name() const override { return functions_.name; }
  KemSizes sizes() const override { return functions_.sizes; }

  KemKeyPair generate(Random& random) const override {
    KemKeyPair pair{ByteVector(sizes().public_key), SecretBuffer(sizes().secret_key)};
    const DrawFrom source(random);
    functions_.keypair(uchar(pair.public_key.data()),
                       uchar(pair.secret_key.expose_mutable().data()));
    return pair;
  }

  Expected<Encapsulation, KemError> encapsulate(ByteView public_key,
                                                Random& random) const override {
    if (public_key.size() != sizes().public_key) return fail(KemError::WrongSize);
    const DrawFrom source(random);
    ByteVector ciphertext(sizes().ciphertext);
    int status = 0;
    auto secret = SharedSecret::make([&](auto target) {
      status = functions_.encapsulate(uchar(ciphertext.data()), uchar(target.data()),
                                      uchar(public_key.data()));
    });
    if (status != 0) return fail(KemError::InvalidKey);
    return Encapsulation{std::move(ciphertext), std::move(secret)};
  }

  Expected<SharedSecret, KemError> decapsulate(ByteView secret_key,
                                               ByteView ciphertext) const override {
    if (secret_key.size() != sizes().secret_key || ciphertext.size() != sizes().ciphertext) {
      return fail(KemError::WrongSize);
    }
    int status = 0;
    auto secret = SharedSecret::make([&](auto target) {
      status = functions_.decapsulate(uchar(target.data()), uchar(ciphertext.data()),
                                      uchar(secret_key.data()));
    });
    if (status != 0) return fail(KemError::InvalidKey);
    return secret;
  }

 private:
  Functions functions_;
};

}  // namespace

const Kem& mceliece460896pc() {
  static const McEliece kem(
      Functions{"mceliece460896pc",
                {mceliece460896pc_PUBLICKEYBYTES, mceliece460896pc_SECRETKEYBYTES,
                 mceliece460896pc_CIPHERTEXTBYTES},
                mceliece460896pc_keypair,
                mceliece460896pc_enc,
                mceliece460896pc_dec});
  return kem;
}

const Kem& mceliece460896() {
  static const McEliece kem(Functions{"mceliece460896",
                                      {mceliece460896_PUBLICKEYBYTES, mceliece460896_SECRETKEYBYTES,
                                       mceliece460896_CIPHERTEXTBYTES},
                                      mceliece460896_keypair,
                                      mceliece460896_enc,
                                      mceliece460896_dec});
  return kem;
}

}  // namespace trellis::crypto

/// The one symbol that libmceliece leaves to its user.
extern "C" void randombytes_internal_void_voidstar_longlong(void* target, long long size);
extern "C" void randombytes_internal_void_voidstar_longlong(void* target, long long size) {
  trellis::crypto::internal::draw_for_mceliece(
      trellis::MutableByteView(static_cast<std::byte*>(target), static_cast<std::size_t>(size)));
}
