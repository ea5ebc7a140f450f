#include "crypto/x25519.h"

#include "base/secret_dump.h"
#include "crypto/openssl.h"

#include <array>

namespace trellis::crypto {

using openssl::algorithms;
using openssl::Owned;
using openssl::uchar;

PrivateKey generate_private_key(Random& random) {
  return PrivateKey::make([&](std::span<std::byte, 32> key) {
    random.fill(key);
    key[0] &= std::byte{248};
    key[31] &= std::byte{127};
    key[31] |= std::byte{64};
  });
}

namespace {

Owned<EVP_PKEY> import_private(const PrivateKey& key) {
  Owned<EVP_PKEY> result(EVP_PKEY_new_raw_private_key_ex(
      algorithms().library, "X25519", nullptr, uchar(key.expose().data()), PrivateKey::kSize));
  CHECK(result != nullptr);
  return result;
}

OSSL_PARAM octets(const char* name, ByteView bytes) {
  // OpenSSL only reads it.
  auto* const data = const_cast<unsigned char*>(uchar(bytes.data()));
  return OSSL_PARAM_construct_octet_string(name, data, bytes.size());
}

/// To agree with only. Were OpenSSL not given a public key it would compute it, which takes as long
/// as the agreement, and that reads the private key alone.
Owned<EVP_PKEY> import_to_agree(const PrivateKey& key) {
  static constexpr Bytes<32> kUnused{};
  const Owned<EVP_PKEY_CTX> context(
      EVP_PKEY_CTX_new_from_name(algorithms().library, "X25519", nullptr));
  CHECK(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
  std::array<OSSL_PARAM, 3> parameters = {octets(OSSL_PKEY_PARAM_PRIV_KEY, key.expose()),
                                          octets(OSSL_PKEY_PARAM_PUB_KEY, kUnused),
                                          OSSL_PARAM_construct_end()};
  EVP_PKEY* imported = nullptr;
  CHECK(EVP_PKEY_fromdata(context.get(), &imported, EVP_PKEY_KEYPAIR, parameters.data()) == 1);
  return Owned<EVP_PKEY>(imported);
}

}  // namespace

PublicKey public_key(const PrivateKey& own) {
  const auto key = import_private(own);
  PublicKey result;
  std::size_t size = result.bytes.size();
  CHECK(EVP_PKEY_get_raw_public_key(key.get(), uchar(result.bytes.data()), &size) == 1);
  CHECK(size == result.bytes.size());
  return result;
}

std::optional<SharedSecret> shared_secret(const PrivateKey& own, const PublicKey& peer) {
  dump_secret("x25519-private", own.expose());
  const auto key = import_to_agree(own);
  const Owned<EVP_PKEY> other(EVP_PKEY_new_raw_public_key_ex(
      algorithms().library, "X25519", nullptr, uchar(peer.bytes.data()), peer.bytes.size()));
  CHECK(other != nullptr);
  const Owned<EVP_PKEY_CTX> context(
      EVP_PKEY_CTX_new_from_pkey(algorithms().library, key.get(), nullptr));
  CHECK(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
  CHECK(EVP_PKEY_derive_set_peer_ex(context.get(), other.get(), 0) == 1);
  bool derived = false;
  auto secret = SharedSecret::make([&](std::span<std::byte, 32> target) {
    std::size_t size = target.size();
    // OpenSSL itself refuses an all-zero result. [RFC 7748 6.1]
    derived = EVP_PKEY_derive(context.get(), uchar(target.data()), &size) == 1 && size == 32;
  });
  if (!derived) return std::nullopt;
  return secret;
}

}  // namespace trellis::crypto
