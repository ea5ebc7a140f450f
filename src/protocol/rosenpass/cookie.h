#pragma once

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"
#include "protocol/rosenpass/messages.h"

#include <optional>

/// Cookies: who is asked for one and brings it receives at the address from which he sends. Rust
/// rosenpass has them behind the feature `experiment_cookie_dos_mitigation`; releases 0.1 and 0.2
/// and go-rosenpass drop a CookieReply unread. All of it hashes as V03, whatever the peer speaks.
/// [WP "denial of service mitigation and cookies"]
namespace trellis::rosenpass {

/// Of one address, for a while.
using CookieValue = Bytes<16>;
using CookieKey = crypto::SymmetricKey;

/// H(CKEY, spk of whoever asks for cookies): known to all that know his public key. Hashes the
/// whole key (1.3 ms).
CookieKey cookie_key(ByteView public_key);

/// Proves `value` in a finished datagram, in place of the zeros that stand there. The mac does not
/// cover the field.
void put_cookie(ByteVector& datagram, const CookieValue& value);
bool bears_cookie(ByteView datagram, const CookieValue& value);

/// Seals `value` for the sender of the message with that mac.
CookieReply seal_cookie(const CookieKey& key, const CookieValue& value, SessionId sidi,
                        const Bytes<kMacSize>& mac, Random& random);
/// Nothing if it does not answer the message with that mac.
std::optional<CookieValue> open_cookie(const CookieKey& key, const CookieReply& reply,
                                       const Bytes<kMacSize>& mac);

/// H(CVAL, secret, host)[0..16]
CookieValue cookie_value(const Bytes<16>& secret, ByteView host);

/// What makes the cookies of a node. A secret makes them for kCookieEpoch, and they are taken for
/// one more. It is made when it is first needed.
class CookieSecrets {
 public:
  CookieValue value_for(TimePoint now, const Endpoint& host, Random& random);
  bool verifies(TimePoint now, const Endpoint& host, ByteView datagram);

 private:
  void expire(TimePoint now);

  struct Secret {
    Bytes<16> bytes;
    TimePoint made_at;
  };
  std::optional<Secret> young_;
  std::optional<Secret> old_;
};

/// A cookie that we were given.
struct HeldCookie {
  CookieValue value;
  TimePoint since;
};

}  // namespace trellis::rosenpass
