#include "protocol/control/box_channel.h"

#include "crypto/x25519.h"

namespace trellis::control {

std::optional<BoxChannel> BoxChannel::create(const crypto::PrivateKey& own,
                                             const crypto::PublicKey& peer) {
  auto key = crypto::box_key(own, peer);
  if (!key) return std::nullopt;
  return BoxChannel(crypto::public_key(own), peer, *std::move(key));
}

ByteVector BoxChannel::seal(ByteView text, Random& random) const {
  return crypto::box_seal(key_, text, random);
}

std::optional<ByteVector> BoxChannel::open(ByteView sealed) const {
  return crypto::box_open(key_, sealed);
}

}  // namespace trellis::control
