#pragma once

#include "crypto/hash.h"

#include <initializer_list>

namespace trellis::rosenpass {

/// h(key, data) of "V02": twice BLAKE2b in its own keyed mode, with the key masked as HMAC masks
/// it. Not RFC 2104, and not BLAKE2s as the protocol's name has it; it is what is deployed.
crypto::Digest keyed_hash(std::span<const std::byte, 32> key, ByteView data);

/// The same for secrets: its result, and what lies in between, is wiped.
crypto::ChainingKey keyed_hash_secret(std::span<const std::byte, 32> key, ByteView data);

/// h(h(h(key, a), b), c)
crypto::Digest keyed_hash_chain(std::span<const std::byte, 32> key,
                                std::initializer_list<ByteView> parts);

}  // namespace trellis::rosenpass
