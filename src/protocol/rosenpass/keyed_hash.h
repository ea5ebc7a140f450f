#pragma once

#include "crypto/hash.h"
#include "protocol/rosenpass/version.h"

#include <initializer_list>

namespace trellis::rosenpass {

/// h(key, data). "V02": twice BLAKE2b in its own keyed mode, with the key masked as HMAC masks it;
/// not RFC 2104, and not BLAKE2s as the protocol's name has it, but what is deployed.
/// "V03": SHAKE256 of the key and the data.
crypto::Digest keyed_hash(Version version, std::span<const std::byte, 32> key, ByteView data);

/// The same for secrets: its result, and what lies in between, is wiped.
crypto::ChainingKey keyed_hash_secret(Version version, std::span<const std::byte, 32> key,
                                      ByteView data);

/// h(h(h(key, a), b), c)
crypto::Digest keyed_hash_chain(Version version, std::span<const std::byte, 32> key,
                                std::initializer_list<ByteView> parts);

}  // namespace trellis::rosenpass
