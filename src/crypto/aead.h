#pragma once

#include "crypto/keys.h"

namespace trellis::crypto {

constexpr std::size_t kTagSize = 16;
using Nonce = Bytes<12>;   // ChaCha20-Poly1305
using XNonce = Bytes<24>;  // XChaCha20-Poly1305
using KeyView = std::span<const std::byte, 32>;

/// WireGuard's nonce: four zero bytes, then the counter, little endian. [WG 5.4.6]
Nonce counter_nonce(std::uint64_t counter);

/// ChaCha20-Poly1305 of one message. [RFC 8439 2.8]
/// `target` has `text.size() + kTagSize` bytes: ciphertext, tag.
void aead_seal(KeyView key, const Nonce& nonce, ByteView additional_data, ByteView text,
               MutableByteView target);
/// `sealed`: ciphertext, tag; `target` has `sealed.size() - kTagSize` bytes. False, with `target`
/// zeroed, if the tag does not fit or `sealed` is shorter than a tag.
[[nodiscard]] bool aead_open(KeyView key, const Nonce& nonce, ByteView additional_data,
                             ByteView sealed, MutableByteView target);

/// The same with XChaCha20-Poly1305. [draft-irtf-cfrg-xchacha]
void xaead_seal(KeyView key, const XNonce& nonce, ByteView additional_data, ByteView text,
                MutableByteView target);
[[nodiscard]] bool xaead_open(KeyView key, const XNonce& nonce, ByteView additional_data,
                              ByteView sealed, MutableByteView target);

}  // namespace trellis::crypto
