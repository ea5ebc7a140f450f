#pragma once

#include "crypto/keys.h"
#include "protocol/ice/credentials.h"

#include <optional>

namespace trellis::ice {

/// Of the two ends of a pair.
struct CredentialPair {
  Credentials local;   // what the peer must show to us
  Credentials remote;  // what we must show to the peer
};

/// The credentials of two agents of ours: both compute them from their WireGuard keys, so nothing
/// has to be exchanged, and after a restart of either the old ones still hold.
///
///   key = HMAC-BLAKE2s(X25519(own, peer), "trellis ice" || lower || higher WireGuard public key)
///   of the end with public key P: ufrag = base64(HMAC-BLAKE2s(key, P || 1)[0, 12)),
///                              password = base64(HMAC-BLAKE2s(key, P || 2)[0, 24))
///
/// They keep strangers from moving a path, which can cost traffic, never reveal it: no secret of a
/// tunnel depends on them. Nothing if `peer` is of small order, and so nobody's key.
std::optional<CredentialPair> derive_credentials(const crypto::PrivateKey& own,
                                                 const crypto::PublicKey& own_public,
                                                 const crypto::PublicKey& peer);

}  // namespace trellis::ice
