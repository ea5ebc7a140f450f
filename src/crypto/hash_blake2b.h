#pragma once

// Internal to crypto: BLAKE2b over one or another compression.

#include "crypto/hash.h"
#include "crypto/hash_kernels/blake2b.h"

#include <span>

namespace trellis::crypto {

/// Those that this processor can run, the fastest last; none where libsodium's is used.
std::span<const hash_kernels::Blake2bCompress> available_blake2b();

/// BLAKE2b with a digest of 32 bytes. `key`: empty, or 32 bytes. [RFC 7693 3.3]
Digest blake2b_over(hash_kernels::Blake2bCompress compress, ByteView key, ByteView data);

}  // namespace trellis::crypto
