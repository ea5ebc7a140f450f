#include "crypto/box.h"

#include "base/result.h"
#include "crypto/openssl.h"

#include <sodium.h>

namespace trellis::crypto {

using openssl::uchar;

ByteVector box_seal(const PrivateKey& own, const PublicKey& peer, ByteView text, Random& random) {
  ByteVector sealed(crypto_box_NONCEBYTES + crypto_box_MACBYTES + text.size());
  const MutableByteView nonce = MutableByteView(sealed).first(crypto_box_NONCEBYTES);
  random.fill(nonce);
  CHECK(crypto_box_easy(uchar(sealed.data()) + nonce.size(), uchar(text.data()), text.size(),
                        uchar(nonce.data()), uchar(peer.bytes.data()),
                        uchar(own.expose().data())) == 0);
  return sealed;
}

std::optional<ByteVector> box_open(const PrivateKey& own, const PublicKey& peer, ByteView sealed) {
  if (sealed.size() < crypto_box_NONCEBYTES + crypto_box_MACBYTES) return std::nullopt;
  const ByteView nonce = sealed.first(crypto_box_NONCEBYTES);
  const ByteView rest = sealed.subspan(nonce.size());
  ByteVector text(rest.size() - crypto_box_MACBYTES);
  if (crypto_box_open_easy(uchar(text.data()), uchar(rest.data()), rest.size(), uchar(nonce.data()),
                           uchar(peer.bytes.data()), uchar(own.expose().data())) != 0) {
    return std::nullopt;
  }
  return text;
}

std::optional<BoxKey> box_key(const PrivateKey& own, const PublicKey& peer) {
  int result = 0;
  BoxKey key = BoxKey::make([&](std::span<std::byte, 32> target) {
    result = crypto_box_beforenm(uchar(target.data()), uchar(peer.bytes.data()),
                                 uchar(own.expose().data()));
  });
  if (result != 0) return std::nullopt;
  return key;
}

ByteVector box_seal(const BoxKey& key, ByteView text, Random& random) {
  ByteVector sealed(crypto_box_NONCEBYTES + crypto_box_MACBYTES + text.size());
  const MutableByteView nonce = MutableByteView(sealed).first(crypto_box_NONCEBYTES);
  random.fill(nonce);
  CHECK(crypto_box_easy_afternm(uchar(sealed.data()) + nonce.size(), uchar(text.data()),
                                text.size(), uchar(nonce.data()), uchar(key.expose().data())) == 0);
  return sealed;
}

std::optional<ByteVector> box_open(const BoxKey& key, ByteView sealed) {
  if (sealed.size() < crypto_box_NONCEBYTES + crypto_box_MACBYTES) return std::nullopt;
  const ByteView nonce = sealed.first(crypto_box_NONCEBYTES);
  const ByteView rest = sealed.subspan(nonce.size());
  ByteVector text(rest.size() - crypto_box_MACBYTES);
  if (crypto_box_open_easy_afternm(uchar(text.data()), uchar(rest.data()), rest.size(),
                                   uchar(nonce.data()), uchar(key.expose().data())) != 0) {
    return std::nullopt;
  }
  return text;
}

}  // namespace trellis::crypto
