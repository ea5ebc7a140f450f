#include "crypto/openssl.h"

namespace trellis::crypto::openssl {
namespace {

Algorithms fetch() {
  Algorithms a;
  a.library = OSSL_LIB_CTX_new();
  CHECK(a.library != nullptr);
  a.chacha20_poly1305 = EVP_CIPHER_fetch(a.library, "ChaCha20-Poly1305", nullptr);
  a.blake2s_mac = EVP_MAC_fetch(a.library, "BLAKE2SMAC", nullptr);
  a.blake2s = EVP_MD_fetch(a.library, "BLAKE2S-256", nullptr);
  a.sha1 = EVP_MD_fetch(a.library, "SHA1", nullptr);
  a.sha3_256 = EVP_MD_fetch(a.library, "SHA3-256", nullptr);
  a.shake256 = EVP_MD_fetch(a.library, "SHAKE256", nullptr);
  CHECK(a.chacha20_poly1305 && a.blake2s_mac);
  CHECK(a.blake2s && a.sha1 && a.sha3_256 && a.shake256);
  return a;
}

}  // namespace

const Algorithms& algorithms() {
  // Immutable after its first use; lives as long as the process.
  static const Algorithms fetched = fetch();
  return fetched;
}

}  // namespace trellis::crypto::openssl
