#pragma once

#include "base/random.h"
#include "crypto/keys.h"

#include <optional>

namespace trellis::crypto {

/// Random, and clamped as [RFC 7748 5] says.
PrivateKey generate_private_key(Random& random);
PublicKey public_key(const PrivateKey& own);

/// Nothing if the result is all zero, that is, if `peer` is of small order. [RFC 7748 6.1]
std::optional<SharedSecret> shared_secret(const PrivateKey& own, const PublicKey& peer);

}  // namespace trellis::crypto
