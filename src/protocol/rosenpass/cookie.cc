#include "protocol/rosenpass/cookie.h"

#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/keyed_hash.h"
#include "protocol/rosenpass/labels.h"

#include <algorithm>

namespace trellis::rosenpass {
namespace {

constexpr std::size_t kCookieSize = sizeof(CookieValue);

const Labels& cookie_labels() { return labels(Version::V03); }

Bytes<kCookieSize> first_half(const crypto::Digest& digest) {
  return to_array<kCookieSize>(ByteView(digest).first<kCookieSize>());
}

Bytes<kCookieSize> field(ByteView before_cookie, const CookieValue& value) {
  return first_half(keyed_hash_chain(Version::V03, cookie_labels().cookie, {value, before_cookie}));
}

/// An address as bytes: of whatever form, for nobody but us makes the same.
ByteVector name_of(const Endpoint& host) {
  ByteVector name = to_vector(host.address.bytes());
  const be16 port = host.port;
  append(name, bytes_of(port));
  return name;
}

}  // namespace

CookieKey cookie_key(ByteView public_key) {
  return CookieKey(keyed_hash(Version::V03, cookie_labels().cookie_key, public_key));
}

void put_cookie(ByteVector& datagram, const CookieValue& value) {
  CHECK(datagram.size() >= kTrailerSize);
  const std::size_t before = datagram.size() - kCookieSize;
  std::ranges::copy(field(ByteView(datagram).first(before), value),
                    datagram.begin() + static_cast<std::ptrdiff_t>(before));
}

bool bears_cookie(ByteView datagram, const CookieValue& value) {
  if (datagram.size() < kTrailerSize) return false;
  const ByteView before = datagram.first(datagram.size() - kCookieSize);
  return crypto::equal(datagram.last(kCookieSize), field(before, value));
}

CookieReply seal_cookie(const CookieKey& key, const CookieValue& value, SessionId sidi,
                        const Bytes<kMacSize>& mac, Random& random) {
  CookieReply reply{.sid = sidi, .nonce = random.bytes<sizeof(crypto::XNonce)>(), .sealed = {}};
  crypto::xaead_seal(key.expose(), reply.nonce, mac, value, reply.sealed);
  return reply;
}

std::optional<CookieValue> open_cookie(const CookieKey& key, const CookieReply& reply,
                                       const Bytes<kMacSize>& mac) {
  CookieValue value;
  if (!crypto::xaead_open(key.expose(), reply.nonce, mac, reply.sealed, value)) return std::nullopt;
  return value;
}

CookieValue cookie_value(const Bytes<16>& secret, ByteView host) {
  return first_half(keyed_hash_chain(Version::V03, cookie_labels().cookie_value, {secret, host}));
}

CookieValue CookieSecrets::value_for(TimePoint now, const Endpoint& host, Random& random) {
  expire(now);
  if (!young_) young_ = Secret{random.bytes<16>(), now};
  return cookie_value(young_->bytes, name_of(host));
}

bool CookieSecrets::verifies(TimePoint now, const Endpoint& host, ByteView datagram) {
  expire(now);
  for (const auto* secret : {&young_, &old_}) {
    if (!*secret) continue;
    if (bears_cookie(datagram, cookie_value((*secret)->bytes, name_of(host)))) return true;
  }
  return false;
}

void CookieSecrets::expire(TimePoint now) {
  if (young_ && now - young_->made_at >= kCookieEpoch) {
    old_ = young_;
    young_.reset();
  }
  if (old_ && now - old_->made_at >= 2 * kCookieEpoch) old_.reset();
}

}  // namespace trellis::rosenpass
