#include "protocol/ice/derived_credentials.h"

#include "crypto/hash.h"
#include "crypto/x25519.h"

#include <algorithm>

namespace trellis::ice {
namespace {

constexpr Bytes<1> kName = {std::byte{1}};
constexpr Bytes<1> kPassword = {std::byte{2}};

Credentials credentials_of(const crypto::SymmetricKey& key, const crypto::PublicKey& end) {
  const auto name = crypto::hmac_blake2s(key.expose(), {end.bytes, kName});
  const auto secret = crypto::hmac_blake2s(key.expose(), {end.bytes, kPassword});
  return make_credentials(name.expose().first<kUfragSize / 4 * 3>(),
                          secret.expose().first<kPasswordSize / 4 * 3>());
}

}  // namespace

std::optional<CredentialPair> derive_credentials(const crypto::PrivateKey& own,
                                                 const crypto::PublicKey& own_public,
                                                 const crypto::PublicKey& peer) {
  const auto shared = crypto::shared_secret(own, peer);
  if (!shared) return std::nullopt;
  const auto& [lower, higher] = std::minmax(own_public, peer);
  const auto key =
      crypto::hmac_blake2s(shared->expose(), {as_bytes("trellis ice"), lower.bytes, higher.bytes});
  return CredentialPair{credentials_of(key, own_public), credentials_of(key, peer)};
}

}  // namespace trellis::ice
