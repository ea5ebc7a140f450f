#pragma once

#include "crypto/keys.h"

#include <memory>

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

/// ChaCha20-Poly1305 under one key for many packets, in place, with empty additional data and
/// WireGuard's nonce: about 40 % cheaper than `aead_seal`. One thread at a time.
///
/// A text lies in a larger buffer of the caller's: kHeadroom bytes before its first byte and
/// kTailroom bytes behind its last one must be his, too. Both may be overwritten by `seal`.
class PacketCipher {
 public:
  static constexpr std::size_t kHeadroom = 64;  // a ChaCha20 block, whose start is Poly1305's key
  static constexpr std::size_t kTailroom = 64;  // whole blocks are encrypted; the tag lies here

  explicit PacketCipher(const SymmetricKey& key);
  PacketCipher(PacketCipher&&) noexcept;
  PacketCipher& operator=(PacketCipher&&) noexcept;
  PacketCipher(const PacketCipher&) = delete;
  PacketCipher& operator=(const PacketCipher&) = delete;
  ~PacketCipher();

  /// Encrypts `text` and puts the tag right behind it.
  void seal_in_place(std::uint64_t counter, MutableByteView text);

  /// `text` is ciphertext and is followed by its tag. On failure nothing has changed; on success
  /// `text` is plaintext. The headroom is left as it was.
  [[nodiscard]] bool open_in_place(std::uint64_t counter, MutableByteView text);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace trellis::crypto
