#pragma once

#include "base/random.h"
#include "crypto/keys.h"

#include <optional>

namespace trellis::crypto {

/// NaCl's box: X25519, XSalsa20, Poly1305. Nonce (24), tag (16), ciphertext.
ByteVector box_seal(const PrivateKey& own, const PublicKey& peer, ByteView text, Random& random);
/// Nothing if it is too short or was not made by `peer` for us.
std::optional<ByteVector> box_open(const PrivateKey& own, const PublicKey& peer, ByteView sealed);

/// What the two keys have in common, for those who make or open many boxes between them.
using BoxKey = SecretBytes<struct BoxKeyTag, 32>;
/// Nothing if `peer` is of small order.
std::optional<BoxKey> box_key(const PrivateKey& own, const PublicKey& peer);
ByteVector box_seal(const BoxKey& key, ByteView text, Random& random);
std::optional<ByteVector> box_open(const BoxKey& key, ByteView sealed);

}  // namespace trellis::crypto
