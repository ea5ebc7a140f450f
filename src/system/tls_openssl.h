#pragma once

// Internal to system: what the TLS files share of OpenSSL. Other headers of this module name no
// library.

#include "system/tls.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace trellis::system::openssl {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// Of our own, so that no openssl.cnf of the system changes what we offer. Lives as long as the
/// process.
OSSL_LIB_CTX* library();

/// A context for TLS 1.3 alone, without tickets, sessions and renegotiation.
Result<Owned<SSL_CTX>> make_context(const SSL_METHOD* method, const std::string& groups);

/// What OpenSSL says of the last failure, and forgets.
std::string last_error();

TlsFingerprint fingerprint_of(X509* certificate);

}  // namespace trellis::system::openssl

namespace trellis::system {

struct ClientTls::State {
  Options options;
  openssl::Owned<SSL_CTX> context;
};

struct ServerTls::State {
  /// Tells whether a file is still the same.
  struct Mark {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;  // -1: no file
    std::int64_t modified_ns = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  static Mark mark_of(const std::string& path);

  Options options;
  openssl::Owned<SSL_CTX> context;
  TlsFingerprint fingerprint{};
  Mark certificate_mark;
  Mark key_mark;
};

}  // namespace trellis::system
