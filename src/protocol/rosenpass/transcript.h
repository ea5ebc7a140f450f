#pragma once

#include "crypto/aead.h"
#include "crypto/kem.h"
#include "protocol/rosenpass/key.h"
#include "protocol/rosenpass/messages.h"

#include <optional>

namespace trellis::rosenpass {

/// The running chaining key of a handshake: all that both ends have seen so far, as one secret.
/// A step that fails leaves it in no defined state: work on a clone where that matters.
class Transcript {
 public:
  Transcript(Version version, std::span<const std::byte, 32> chaining_key)
      : version_(version), chaining_key_(chaining_key) {}
  Transcript clone() const { return {version_, chaining_key_.expose()}; }

  const crypto::ChainingKey& chaining_key() const { return chaining_key_; }

  /// ck = h(ck, L_mix, data)
  void mix(ByteView data);

  /// Seals `text` (at most 32 bytes) under a key of this moment, and mixes the result.
  template <std::size_t N>
  Bytes<N + crypto::kTagSize> encrypt_and_mix(const Bytes<N>& text) {
    Bytes<N + crypto::kTagSize> sealed;
    seal_and_mix(text, sealed);
    return sealed;
  }

  /// Nothing if it was not sealed by this transcript.
  template <std::size_t N>
  std::optional<Bytes<N - crypto::kTagSize>> decrypt_and_mix(const Bytes<N>& sealed) {
    Bytes<N - crypto::kTagSize> text;
    if (!open_and_mix(sealed, text)) return std::nullopt;
    return text;
  }

  // Both mix the public key, then the secret, then the ciphertext.
  Expected<ByteVector, crypto::KemError> encaps_and_mix(const crypto::Kem& kem, ByteView public_key,
                                                        Random& random);
  Expected<void, crypto::KemError> decaps_and_mix(const crypto::Kem& kem, ByteView secret_key,
                                                  ByteView public_key, ByteView ciphertext);

  // What comes of it, after the last step.
  crypto::SymmetricKey responder_key() const;  // txkr; txki seals Data, which nobody sends
  /// osk; `label`: of what it is for, L_osk unless told otherwise.
  OutputKey output_key(const std::optional<crypto::Digest>& label = std::nullopt) const;

 private:
  crypto::ChainingKey extract(const crypto::Digest& label) const;
  void seal_and_mix(ByteView text, MutableByteView sealed);
  bool open_and_mix(ByteView sealed, MutableByteView text);

  Version version_;
  crypto::ChainingKey chaining_key_;
};

/// The tag of EmptyData: nothing, sealed under txkr with the counter as nonce.
Tag acknowledgement_tag(const crypto::SymmetricKey& responder_key, std::uint64_t counter);
bool is_acknowledged(const crypto::SymmetricKey& responder_key, const EmptyData& message);

}  // namespace trellis::rosenpass
