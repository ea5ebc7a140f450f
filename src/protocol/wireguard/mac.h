#pragma once

#include "base/address.h"
#include "base/random.h"
#include "base/time.h"
#include "crypto/blake2s_mac.h"
#include "crypto/keys.h"
#include "protocol/wireguard/messages.h"

#include <optional>

namespace trellis::wireguard {

using Mac = Bytes<16>;
using Cookie = Bytes<16>;
using MacKey = Bytes<32>;  // made of public keys only: no secret

MacKey mac1_key(const crypto::PublicKey& receiver);
MacKey cookie_key(const crypto::PublicKey& receiver);

/// Our side: tells whether handshake messages are made for us, and whether their senders are where
/// they say. [WG 5.4.4, 5.4.7]
class CookieChecker {
 public:
  CookieChecker(const crypto::PublicKey& own, Random& random);

  template <class HandshakeMessage>
  bool mac1_fits(const HandshakeMessage& message) const {
    return mac1_fits(before_macs(message), message.mac1);
  }

  template <class HandshakeMessage>
  bool mac2_fits(TimePoint now, const Endpoint& from, const HandshakeMessage& message) {
    return mac2_fits(now, from, before_mac2(message), message.mac2);
  }

  /// The reply to a message of `sender` that has `mac1`.
  CookieReply reply(TimePoint now, const Endpoint& from, std::uint32_t sender, const Mac& mac1);

 private:
  template <class HandshakeMessage>
  static ByteView before_macs(const HandshakeMessage& message) {
    return bytes_of(message).first(sizeof message - 2 * sizeof(Mac));
  }
  template <class HandshakeMessage>
  static ByteView before_mac2(const HandshakeMessage& message) {
    return bytes_of(message).first(sizeof message - sizeof(Mac));
  }
  friend class CookieJar;

  bool mac1_fits(ByteView bytes, const Mac& mac1) const;
  bool mac2_fits(TimePoint now, const Endpoint& from, ByteView bytes, const Mac& mac2);
  Cookie cookie_for(TimePoint now, const Endpoint& from);

  crypto::Blake2sMac mac1_;
  MacKey cookie_key_;
  std::optional<crypto::Blake2sMac> secret_;  // changed every two minutes
  std::optional<TimePoint> secret_made_;
  Random* random_;
};

/// A peer's side: puts MACs under our messages to it, and keeps the cookie that it sent.
class CookieJar {
 public:
  explicit CookieJar(const crypto::PublicKey& receiver);

  /// Fills mac1, and mac2 if there is a fresh cookie; remembers mac1 for the reply.
  template <class HandshakeMessage>
  void add_macs(TimePoint now, HandshakeMessage& message) {
    message.mac1 = make_mac1(CookieChecker::before_macs(message));
    message.mac2 = make_mac2(now, CookieChecker::before_mac2(message));
  }

  /// False, and nothing changed, if it does not answer the message that we sent last.
  bool consume(TimePoint now, const CookieReply& reply);

 private:
  Mac make_mac1(ByteView bytes);
  Mac make_mac2(TimePoint now, ByteView bytes) const;

  struct Received {
    Cookie cookie;
    TimePoint at;
  };

  MacKey mac1_key_;
  MacKey cookie_key_;
  std::optional<Mac> last_mac1_;
  std::optional<Received> received_;
};

}  // namespace trellis::wireguard
