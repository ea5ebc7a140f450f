#pragma once

#include "base/random.h"
#include "crypto/box.h"
#include "crypto/keys.h"

#include <optional>

namespace trellis::control {

/// The boxes between one of our keys and one of somebody else's, with their common key computed
/// once: 1 us a box and not 60.
class BoxChannel {
 public:
  /// Nothing if `peer` is of small order.
  static std::optional<BoxChannel> create(const crypto::PrivateKey& own,
                                          const crypto::PublicKey& peer);

  /// Nonce (24), tag (16), ciphertext.
  ByteVector seal(ByteView text, Random& random) const;
  /// Nothing if it was made by another, for another, or changed. A box of ours opens too: it does
  /// not say which end made it.
  std::optional<ByteVector> open(ByteView sealed) const;

  const crypto::PublicKey& own() const { return own_; }
  const crypto::PublicKey& peer() const { return peer_; }

 private:
  BoxChannel(const crypto::PublicKey& own, const crypto::PublicKey& peer, crypto::BoxKey key)
      : own_(own), peer_(peer), key_(std::move(key)) {}

  crypto::PublicKey own_;
  crypto::PublicKey peer_;
  crypto::BoxKey key_;
};

}  // namespace trellis::control
