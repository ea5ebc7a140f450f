#include "protocol/rosenpass/key.h"

#include "protocol/rosenpass/keyed_hash.h"
#include "protocol/rosenpass/labels.h"

#include <fmt/format.h>

#include <algorithm>

namespace trellis::rosenpass {
namespace {

// mceliece460896:  seed (32) || pivots (8) || g (192) || control bits (12800) || s (576)
// liboqs 0.8:                                    s (576) || g (192) || control bits (12800)
constexpr std::size_t kSecretSize = 13608;
constexpr std::size_t kOldSecretSize = 13568;
constexpr std::size_t kSeedSize = 32;
constexpr std::size_t kPivotsSize = 8;
constexpr std::size_t kRejectionSize = 576;
static_assert(kSecretSize == kOldSecretSize + kSeedSize + kPivotsSize);

/// The seed stays zero: it is needed to derive a key again, never to use one.
SecretBuffer from_old_form(ByteView key) {
  SecretBuffer result(kSecretSize);
  const MutableByteView target = result.expose_mutable();
  const MutableByteView pivots = target.subspan(kSeedSize, kPivotsSize);
  std::fill_n(pivots.begin(), 4, std::byte{0xff});
  const ByteView rejection = key.first(kRejectionSize);
  const ByteView rest = key.subspan(kRejectionSize);
  std::copy(rest.begin(), rest.end(), target.begin() + kSeedSize + kPivotsSize);
  std::copy(rejection.begin(), rejection.end(), target.end() - kRejectionSize);
  return result;
}

}  // namespace

PeerHash peer_hash(ByteView public_key, Version version) {
  return PeerHash{keyed_hash(version, labels(version).peer_id, public_key)};
}

KeyDigests make_digests(ByteView key, Version version) {
  const Labels& l = labels(version);
  return {.pid = peer_hash(key, version),
          .initial_chain = keyed_hash(version, l.chaining_key_init, key),
          .mac = keyed_hash(version, l.mac, key),
          .biscuit_chain = keyed_hash(version, l.biscuit, key)};
}

StaticPublicKey::StaticPublicKey(ByteView key, Version its_version)
    : StaticPublicKey(key, its_version, make_digests(key, its_version)) {}

StaticPublicKey::StaticPublicKey(ByteView key, Version its_version, const KeyDigests& digests)
    : bytes(key),
      version(its_version),
      pid(digests.pid),
      initial_chain(digests.initial_chain),
      mac_key{its_version, digests.mac},
      biscuit_chain(digests.biscuit_chain) {}

Result<SecretBuffer> normalise_secret_key(const crypto::Suite& suite, ByteView key) {
  const std::size_t wanted = suite.static_kem->sizes().secret_key;
  if (key.size() == wanted) return SecretBuffer(key);
  if (wanted != kSecretSize) {
    return fail_with(fmt::format("the secret key has {} bytes; keys of suite {} have {}",
                                 key.size(), suite.name, wanted));
  }
  if (key.size() == kOldSecretSize) return from_old_form(key);
  return fail_with(
      fmt::format("the secret key has {} bytes; keys of suite {} have {}, or {} as "
                  "Rosenpass writes them",
                  key.size(), suite.name, kSecretSize, kOldSecretSize));
}

SecretBuffer rust_form(ByteView key) {
  CHECK(key.size() == kSecretSize);
  SecretBuffer result(kOldSecretSize);
  const MutableByteView target = result.expose_mutable();
  const ByteView rest = key.subspan(kSeedSize + kPivotsSize);
  const ByteView rejection = rest.last(kRejectionSize);
  std::ranges::copy(rejection, target.begin());
  std::ranges::copy(rest.first(rest.size() - kRejectionSize), target.begin() + kRejectionSize);
  return result;
}

}  // namespace trellis::rosenpass
