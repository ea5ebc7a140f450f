#include "protocol/rosenpass/transcript.h"

#include "protocol/rosenpass/keyed_hash.h"
#include "protocol/rosenpass/labels.h"

namespace trellis::rosenpass {
namespace {

/// Each key of a handshake seals one message only, so its nonce may be constant.
constexpr crypto::Nonce kZeroNonce{};

/// EmptyData has its counter in front; WireGuard has it at the end.
crypto::Nonce acknowledgement_nonce(std::uint64_t counter) {
  crypto::Nonce nonce{};
  const le64 wire = counter;
  std::memcpy(nonce.data(), &wire, sizeof wire);
  return nonce;
}

}  // namespace

void Transcript::mix(ByteView data) {
  const crypto::ChainingKey key = extract(labels(version_).mix);
  chaining_key_ = keyed_hash_secret(version_, key.expose(), data);
}

crypto::ChainingKey Transcript::extract(const crypto::Digest& label) const {
  return keyed_hash_secret(version_, chaining_key_.expose(), label);
}

void Transcript::seal_and_mix(ByteView text, MutableByteView sealed) {
  const crypto::ChainingKey key = extract(labels(version_).handshake_encryption);
  crypto::aead_seal(key.expose(), kZeroNonce, {}, text, sealed);
  mix(sealed);
}

bool Transcript::open_and_mix(ByteView sealed, MutableByteView text) {
  const crypto::ChainingKey key = extract(labels(version_).handshake_encryption);
  if (!crypto::aead_open(key.expose(), kZeroNonce, {}, sealed, text)) return false;
  mix(sealed);
  return true;
}

Expected<ByteVector, crypto::KemError> Transcript::encaps_and_mix(const crypto::Kem& kem,
                                                                  ByteView public_key,
                                                                  Random& random) {
  crypto::Encapsulation made = TRY(kem.encapsulate(public_key, random));
  mix(public_key);
  mix(made.secret.expose());
  mix(made.ciphertext);
  return std::move(made.ciphertext);
}

Expected<void, crypto::KemError> Transcript::decaps_and_mix(const crypto::Kem& kem,
                                                            ByteView secret_key,
                                                            ByteView public_key,
                                                            ByteView ciphertext) {
  const crypto::SharedSecret secret = TRY(kem.decapsulate(secret_key, ciphertext));
  mix(public_key);
  mix(secret.expose());
  mix(ciphertext);
  return {};
}

crypto::SymmetricKey Transcript::responder_key() const {
  return crypto::SymmetricKey(extract(labels(version_).responder_key).expose());
}

OutputKey Transcript::output_key(const std::optional<crypto::Digest>& label) const {
  return OutputKey(extract(label.value_or(labels(version_).output_key)).expose());
}

Tag acknowledgement_tag(const crypto::SymmetricKey& responder_key, std::uint64_t counter) {
  Tag tag;
  crypto::aead_seal(responder_key.expose(), acknowledgement_nonce(counter), {}, {}, tag);
  return tag;
}

bool is_acknowledged(const crypto::SymmetricKey& responder_key, const EmptyData& message) {
  return crypto::aead_open(responder_key.expose(), acknowledgement_nonce(message.counter), {},
                           message.auth, {});
}

}  // namespace trellis::rosenpass
