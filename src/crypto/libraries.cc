#include "crypto/libraries.h"

#include <mceliece.h>
#include <openssl/crypto.h>
#include <sodium.h>

namespace trellis::crypto {

LibraryVersions library_versions() {
  return {OpenSSL_version(OPENSSL_VERSION_STRING), sodium_version_string(), mceliece_version};
}

}  // namespace trellis::crypto
