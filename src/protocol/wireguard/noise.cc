#include "protocol/wireguard/noise.h"

#include "base/secret_dump.h"
#include "crypto/aead.h"
#include "crypto/x25519.h"
#include "protocol/wireguard/constants.h"

namespace trellis::wireguard {

using crypto::ChainingKey;
using crypto::Digest;
using crypto::PublicKey;
using crypto::SymmetricKey;

namespace {

constexpr crypto::Nonce kNonceZero{};

void mix_hash(Digest& hash, ByteView data) { hash = crypto::blake2s({hash, data}); }

void mix_key(ChainingKey& chaining_key, ByteView input) {
  chaining_key = crypto::kdf1(chaining_key, input);
}

/// Mixes a Diffie-Hellman into the chaining key and yields the key of what is sealed next.
SymmetricKey mix_secret(ChainingKey& chaining_key, const crypto::SharedSecret& secret) {
  auto [next, key] = crypto::kdf2(chaining_key, secret.expose());
  chaining_key = std::move(next);
  return std::move(key);
}

template <std::size_t N>
Sealed<N> seal(const SymmetricKey& key, Digest& hash, const Bytes<N>& text) {
  Sealed<N> sealed;
  crypto::aead_seal(key.expose(), kNonceZero, hash, text, sealed);
  mix_hash(hash, sealed);
  return sealed;
}

template <std::size_t N>
std::optional<Bytes<N - crypto::kTagSize>> open(const SymmetricKey& key, Digest& hash,
                                                const Bytes<N>& sealed) {
  Bytes<N - crypto::kTagSize> text;
  if (!crypto::aead_open(key.expose(), kNonceZero, hash, sealed, text)) return std::nullopt;
  mix_hash(hash, sealed);
  return text;
}

ChainingKey initial_chaining_key() {
  return ChainingKey(crypto::blake2s({as_bytes(kConstruction)}));
}

Digest initial_hash(const ChainingKey& chaining_key, const PublicKey& responder) {
  Digest hash = crypto::blake2s({chaining_key.expose(), as_bytes(kIdentifier)});
  mix_hash(hash, responder.bytes);
  return hash;
}

struct Mixed {
  ChainingKey chaining_key;
  Digest hash;
  SymmetricKey key;
};

/// The psk token of the response.
Mixed mix_preshared_key(const ChainingKey& chaining_key, const Digest& hash,
                        const crypto::PresharedKey& preshared_key) {
  dump_secret("preshared-key", preshared_key.expose());
  auto [next, tau, key] = crypto::kdf3(chaining_key, preshared_key.expose());
  Digest mixed = hash;
  mix_hash(mixed, tau.expose());
  return {std::move(next), mixed, std::move(key)};
}

/// The transport keys: what the initiator sends with, what the responder sends with. [WG 5.4.5]
SessionKeys split(const ChainingKey& chaining_key, SessionIndex local, SessionIndex remote,
                  Role role) {
  auto [first, second] = crypto::kdf2(chaining_key, {});
  SymmetricKey initiator_sends(first.expose());
  if (role == Role::Initiator) {
    return {std::move(initiator_sends), std::move(second), local, remote, role};
  }
  return {std::move(second), std::move(initiator_sends), local, remote, role};
}

}  // namespace

Identity Identity::of(crypto::PrivateKey private_key) {
  const PublicKey public_key = crypto::public_key(private_key);
  return {std::move(private_key), public_key};
}

Remote Remote::of(const Identity& own, const PublicKey& public_key) {
  return {public_key, crypto::shared_secret(own.private_key, public_key)};
}

Expected<Initiated, HandshakeError> initiate(const Identity& own, const Remote& remote,
                                             SessionIndex local, const Tai64n& timestamp,
                                             Random& random) {
  if (!remote.static_static) return fail(HandshakeError::BadPublicKey);
  ChainingKey c = initial_chaining_key();
  Digest h = initial_hash(c, remote.public_key);

  // e
  auto ephemeral = crypto::generate_private_key(random);
  HandshakeInitiation message;
  message.sender = static_cast<std::uint32_t>(local);
  message.ephemeral = crypto::public_key(ephemeral).bytes;
  mix_key(c, message.ephemeral);
  mix_hash(h, message.ephemeral);

  // es, s
  const auto es = crypto::shared_secret(ephemeral, remote.public_key);
  if (!es) return fail(HandshakeError::BadPublicKey);
  message.static_key = seal(mix_secret(c, *es), h, own.public_key.bytes);

  // ss, timestamp
  message.timestamp = seal(mix_secret(c, *remote.static_static), h, timestamp.bytes);

  return Initiated{{local, std::move(ephemeral), std::move(c), h}, message};
}

Expected<InitiationOpened, HandshakeError> open_initiation(const Identity& own,
                                                           const HandshakeInitiation& message) {
  ChainingKey c = initial_chaining_key();
  Digest h = initial_hash(c, own.public_key);

  // e
  mix_key(c, message.ephemeral);
  mix_hash(h, message.ephemeral);

  // es, s
  const PublicKey ephemeral{message.ephemeral};
  const auto es = crypto::shared_secret(own.private_key, ephemeral);
  if (!es) return fail(HandshakeError::BadPublicKey);
  const auto static_key = open(mix_secret(c, *es), h, message.static_key);
  if (!static_key) return fail(HandshakeError::Unauthentic);

  return InitiationOpened{SessionIndex{std::uint32_t{message.sender}},
                          ephemeral,
                          PublicKey{*static_key},
                          message.timestamp,
                          std::move(c),
                          h};
}

Expected<InitiationReceived, HandshakeError> finish_initiation(InitiationOpened opened,
                                                               const Remote& remote) {
  CHECK(remote.public_key == opened.static_key);
  if (!remote.static_static) return fail(HandshakeError::BadPublicKey);

  // ss, timestamp
  const auto timestamp = open(mix_secret(opened.chaining_key, *remote.static_static), opened.hash,
                              opened.sealed_timestamp);
  if (!timestamp) return fail(HandshakeError::Unauthentic);

  return InitiationReceived{opened.remote,
                            opened.ephemeral,
                            opened.static_key,
                            Tai64n{*timestamp},
                            std::move(opened.chaining_key),
                            opened.hash};
}

Expected<Responded, HandshakeError> respond(const InitiationReceived& initiation,
                                            const crypto::PresharedKey& preshared_key,
                                            SessionIndex local, Random& random) {
  ChainingKey c = initiation.chaining_key.clone();
  Digest h = initiation.hash;

  // e
  const auto ephemeral = crypto::generate_private_key(random);
  HandshakeResponse message;
  message.sender = static_cast<std::uint32_t>(local);
  message.receiver = static_cast<std::uint32_t>(initiation.remote);
  message.ephemeral = crypto::public_key(ephemeral).bytes;
  mix_key(c, message.ephemeral);
  mix_hash(h, message.ephemeral);

  // ee, se
  const auto ee = crypto::shared_secret(ephemeral, initiation.ephemeral);
  const auto se = crypto::shared_secret(ephemeral, initiation.static_key);
  if (!ee || !se) return fail(HandshakeError::BadPublicKey);
  mix_key(c, ee->expose());
  mix_key(c, se->expose());

  // psk, empty
  Mixed mixed = mix_preshared_key(c, h, preshared_key);
  message.empty = seal(mixed.key, mixed.hash, Bytes<0>{});

  return Responded{split(mixed.chaining_key, local, initiation.remote, Role::Responder), message};
}

Expected<ResponseConsumed, HandshakeError> consume_response(const InitiationSent& sent,
                                                            const Identity& own,
                                                            const HandshakeResponse& message,
                                                            std::span<const LiveKey> keys) {
  ChainingKey c = sent.chaining_key.clone();
  Digest h = sent.hash;

  // e
  const PublicKey ephemeral{message.ephemeral};
  mix_key(c, message.ephemeral);
  mix_hash(h, message.ephemeral);

  // ee, se
  const auto ee = crypto::shared_secret(sent.ephemeral, ephemeral);
  const auto se = crypto::shared_secret(own.private_key, ephemeral);
  if (!ee || !se) return fail(HandshakeError::BadPublicKey);
  mix_key(c, ee->expose());
  mix_key(c, se->expose());

  // psk, empty
  for (const LiveKey& key : keys) {
    Mixed mixed = mix_preshared_key(c, h, key.key);
    if (!open(mixed.key, mixed.hash, message.empty)) continue;
    return ResponseConsumed{split(mixed.chaining_key, sent.local,
                                  SessionIndex{std::uint32_t{message.sender}}, Role::Initiator),
                            key.id};
  }
  return fail(HandshakeError::Unauthentic);
}

}  // namespace trellis::wireguard
