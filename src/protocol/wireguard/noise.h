#pragma once

#include "base/random.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "crypto/keys.h"
#include "protocol/wireguard/ids.h"
#include "protocol/wireguard/messages.h"
#include "protocol/wireguard/timestamp.h"

#include <optional>
#include <span>

namespace trellis::wireguard {

// Noise IKpsk2 as WireGuard uses it. [WG 5.4.2 - 5.4.5]
//
//    initiator                          responder
//    initiate ---- Initiation --->      open_initiation   who is it?
//        |                              finish_initiation when?
//        v                                  |
//    InitiationSent                         v
//        |         <--- Response -----  respond --> SessionKeys
//        v
//    consume_response --> SessionKeys
//
// A step changes nothing: the caller adopts its result, or does not. MACs are not looked at, and
// left zero.

enum class HandshakeError {
  BadPublicKey,  // of small order
  Unauthentic,   // does not open
};

/// Ourselves.
struct Identity {
  crypto::PrivateKey private_key;
  crypto::PublicKey public_key;

  static Identity of(crypto::PrivateKey private_key);
};

/// The other end, with what two static keys have in common.
struct Remote {
  crypto::PublicKey public_key;
  std::optional<crypto::SharedSecret> static_static;  // nothing: its key is of small order

  static Remote of(const Identity& own, const crypto::PublicKey& public_key);
};

struct SessionKeys {
  crypto::SymmetricKey send;
  crypto::SymmetricKey receive;
  SessionIndex local;
  SessionIndex remote;
  Role role;
};

/// We sent an initiation and wait for its response.
struct InitiationSent {
  SessionIndex local;
  crypto::PrivateKey ephemeral;
  crypto::ChainingKey chaining_key;
  crypto::Digest hash;
};

struct Initiated {
  InitiationSent state;
  HandshakeInitiation message;
};

/// An initiation of which we know who claims to have sent it.
struct InitiationOpened {
  SessionIndex remote;
  crypto::PublicKey ephemeral;
  crypto::PublicKey static_key;
  Sealed<12> sealed_timestamp;
  crypto::ChainingKey chaining_key;
  crypto::Digest hash;
};

/// An authentic initiation. Whether it is fresh, its timestamp tells.
struct InitiationReceived {
  SessionIndex remote;
  crypto::PublicKey ephemeral;
  crypto::PublicKey static_key;
  Tai64n timestamp;
  crypto::ChainingKey chaining_key;
  crypto::Digest hash;
};

struct Responded {
  SessionKeys keys;
  HandshakeResponse message;
};

struct ResponseConsumed {
  SessionKeys keys;
  KeyId preshared_key;  // the one that it opened under
};

Expected<Initiated, HandshakeError> initiate(const Identity& own, const Remote& remote,
                                             SessionIndex local, const Tai64n& timestamp,
                                             Random& random);

Expected<InitiationOpened, HandshakeError> open_initiation(const Identity& own,
                                                           const HandshakeInitiation& message);
/// `remote` is the peer that has `opened.static_key`.
Expected<InitiationReceived, HandshakeError> finish_initiation(InitiationOpened opened,
                                                               const Remote& remote);

Expected<Responded, HandshakeError> respond(const InitiationReceived& initiation,
                                            const crypto::PresharedKey& preshared_key,
                                            SessionIndex local, Random& random);

/// Tries the keys in their order. [pair rule 1]
Expected<ResponseConsumed, HandshakeError> consume_response(const InitiationSent& sent,
                                                            const Identity& own,
                                                            const HandshakeResponse& message,
                                                            std::span<const LiveKey> keys);

}  // namespace trellis::wireguard
