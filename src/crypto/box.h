#pragma once

#include "base/random.h"
#include "crypto/keys.h"

#include <optional>

namespace trellis::crypto {

/// NaCl's box: X25519, XSalsa20, Poly1305. Nonce (24), tag (16), ciphertext.
ByteVector box_seal(const PrivateKey& own, const PublicKey& peer, ByteView text, Random& random);
/// Nothing if it is too short or was not made by `peer` for us.
std::optional<ByteVector> box_open(const PrivateKey& own, const PublicKey& peer, ByteView sealed);

}  // namespace trellis::crypto
