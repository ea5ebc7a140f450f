#include "protocol/wireguard/mac.h"

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "protocol/wireguard/constants.h"

#include <array>
#include <cstring>

namespace trellis::wireguard {

MacKey mac1_key(const crypto::PublicKey& receiver) {
  return crypto::blake2s({as_bytes(kLabelMac1), receiver.bytes});
}

MacKey cookie_key(const crypto::PublicKey& receiver) {
  return crypto::blake2s({as_bytes(kLabelCookie), receiver.bytes});
}

CookieChecker::CookieChecker(const crypto::PublicKey& own, Random& random)
    : mac1_(wireguard::mac1_key(own)), cookie_key_(wireguard::cookie_key(own)), random_(&random) {}

bool CookieChecker::mac1_fits(ByteView bytes, const Mac& mac1) const {
  return crypto::equal(mac1_(bytes), mac1);
}

bool CookieChecker::mac2_fits(TimePoint now, const Endpoint& from, ByteView bytes,
                              const Mac& mac2) {
  if (mac2 == Mac{}) return false;  // no cookie, and nothing to compute
  // Without a secret no cookie was given out.
  if (!secret_made_ || now - *secret_made_ >= kCookieLifetime) return false;
  return crypto::equal(crypto::Blake2sMac(cookie_for(now, from))(bytes), mac2);
}

CookieReply CookieChecker::reply(TimePoint now, const Endpoint& from, std::uint32_t sender,
                                 const Mac& mac1) {
  const Cookie cookie = cookie_for(now, from);
  CookieReply reply;
  reply.receiver = sender;
  reply.nonce = random_->bytes<24>();
  crypto::xaead_seal(cookie_key_, reply.nonce, mac1, cookie, reply.cookie);
  return reply;
}

Cookie CookieChecker::cookie_for(TimePoint now, const Endpoint& from) {
  if (!secret_made_ || now - *secret_made_ >= kCookieLifetime) {
    const auto secret =
        crypto::SymmetricKey::make([&](std::span<std::byte, 32> key) { random_->fill(key); });
    secret_.emplace(secret.expose());
    secret_made_ = now;
  }
  std::array<std::byte, 18> place{};  // address and port
  const ByteView address = from.address.bytes();
  const be16 port = from.port;
  std::memcpy(place.data(), address.data(), address.size());
  std::memcpy(place.data() + address.size(), &port, sizeof port);
  return (*secret_)(ByteView(place).first(address.size() + sizeof port));
}

CookieJar::CookieJar(const crypto::PublicKey& receiver)
    : mac1_key_(wireguard::mac1_key(receiver)), cookie_key_(wireguard::cookie_key(receiver)) {}

bool CookieJar::consume(TimePoint now, const CookieReply& reply) {
  if (!last_mac1_) return false;
  Cookie cookie;
  if (!crypto::xaead_open(cookie_key_, reply.nonce, *last_mac1_, reply.cookie, cookie)) {
    return false;
  }
  received_ = Received{cookie, now};
  return true;
}

Mac CookieJar::make_mac1(ByteView bytes) {
  last_mac1_ = crypto::blake2s_mac(mac1_key_, bytes);
  return *last_mac1_;
}

Mac CookieJar::make_mac2(TimePoint now, ByteView bytes) const {
  if (!received_ || now - received_->at >= kCookieLifetime) return Mac{};
  return crypto::blake2s_mac(received_->cookie, bytes);
}

}  // namespace trellis::wireguard
