#pragma once

#include "base/random.h"
#include "protocol/rosenpass/biscuit.h"
#include "protocol/rosenpass/identity.h"
#include "protocol/rosenpass/transcript.h"

/// The responder's steps, under the labels of the paper. Between RespHello and InitConf it keeps
/// nothing: its state travels in the biscuit. [WP "message handling"]
namespace trellis::rosenpass {

/// An InitHello that was made for our key and claims to be from `pidi`.
struct OpenedHello {
  PeerHash pidi;
  Transcript transcript;
};
/// IHR1 to IHR6. `hello` has a right mac. About 0.7 ms. Fails with BadKem or BadHello.
Expected<OpenedHello, Drop> open_init_hello(const InitHello& hello, const Identity& own);

/// IHR7 and IHR8: whether the sender knows the psk, and means this initiator's key. About 0.6 ms.
/// Fails with BadAuth. Says nothing of freshness: it may be a replay.
Expected<Transcript, Drop> check_init_hello(OpenedHello opened, const InitHello& hello,
                                            const Counterpart& initiator);

/// What RespHello needs of its moment. `sidr` is random.
struct BiscuitSeal {
  SessionId sidr;
  const crypto::SymmetricKey& key;
  BiscuitNumber number;
};
/// RHR1 to RHR7: the RespHello. About 0.7 ms.
Expected<ByteVector, Drop> make_resp_hello(Transcript transcript, const InitHello& hello,
                                           const Identity& own, const Counterpart& initiator,
                                           const BiscuitSeal& seal, Random& random);

struct CompletedExchange {
  OutputKey osk;
  ByteVector empty_data;
};
/// ICR1 to ICR7 but for the biscuit's number and age, which are the caller's to judge (ICR5, ICR6).
/// Cheap. Fails with BadAuth.
Expected<CompletedExchange, Drop> complete_exchange(const Biscuit& biscuit, const InitConf& message,
                                                    const Identity& own,
                                                    const Counterpart& initiator);

}  // namespace trellis::rosenpass
