#pragma once

// Internal to system: keys and certificates as PEM.

#include "base/secret.h"
#include "base/time.h"
#include "system/tls_openssl.h"

#include <vector>

namespace trellis::system {

/// An ECDSA key on P-256: what every TLS client can verify.
Result<openssl::Owned<EVP_PKEY>> make_key();
Result<SecretBuffer> key_to_pem(EVP_PKEY* key);
Result<openssl::Owned<EVP_PKEY>> key_from_pem(ByteView pem);

/// A server's certificate, signed by its own key, for `names` (host names or addresses). Good from
/// the day before `now`, for clocks that are behind, for 30 years.
Result<ByteVector> make_certificate(EVP_PKEY* key, const std::vector<std::string>& names,
                                    WallTime now);
/// At least one, the server's own first.
Result<std::vector<openssl::Owned<X509>>> chain_from_pem(ByteView pem);

}  // namespace trellis::system
