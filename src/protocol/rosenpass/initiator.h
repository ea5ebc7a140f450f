#pragma once

#include "base/random.h"
#include "protocol/rosenpass/identity.h"
#include "protocol/rosenpass/transcript.h"

/// The initiator's steps, under the labels of the paper. A step changes nothing; the caller adopts
/// its result. [WP "message handling"]
namespace trellis::rosenpass {

/// InitHello is out, and RespHello expected.
struct HelloSent {
  SessionId sidi;
  ByteVector epki;
  SecretBuffer eski;
  Transcript transcript;
};
struct HelloStep {
  HelloSent sent;
  ByteVector init_hello;
};
/// IHI1 to IHI8. `sidi` is random, and names no other exchange of ours. About 1.2 ms.
Expected<HelloStep, crypto::KemError> start_hello(const Identity& own, const Counterpart& responder,
                                                  SessionId sidi, Random& random);

/// InitConf is out, and EmptyData expected.
struct ConfSent {
  SessionId sidi;
  crypto::SymmetricKey responder_key;
};
struct ConfStep {
  ConfSent sent;
  ByteVector init_conf;
  OutputKey osk;
};
/// RHI3 to RHI7, ICI3 to ICI7. `hello` has a right mac. About 0.7 ms.
/// Fails with BadKem or BadAuth, which a forged message can bring about: go on waiting.
Expected<ConfStep, Drop> consume_resp_hello(const HelloSent& sent, const RespHello& hello,
                                            const Identity& own, const Counterpart& responder);

}  // namespace trellis::rosenpass
