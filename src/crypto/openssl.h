#pragma once

// Internal to crypto: the one place that fetches algorithms of OpenSSL. Public headers of this
// module name no library.

#include "base/result.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

namespace trellis::crypto::openssl {

struct Free {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// Algorithms of a library context of our own, so that no openssl.cnf of the system changes them.
/// Fetched once; a failure is a broken build, not input.
struct Algorithms {
  OSSL_LIB_CTX* library = nullptr;
  EVP_CIPHER* chacha20_poly1305 = nullptr;
  EVP_MAC* blake2s_mac = nullptr;
  EVP_MD* blake2s = nullptr;
  EVP_MD* sha1 = nullptr;
  EVP_MD* sha3_256 = nullptr;
  EVP_MD* shake256 = nullptr;
};
const Algorithms& algorithms();

inline const unsigned char* uchar(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
inline unsigned char* uchar(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

}  // namespace trellis::crypto::openssl
