#include "crypto/keys.h"

#include <openssl/crypto.h>

namespace trellis::crypto {

bool equal(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace trellis::crypto
