#pragma once

#include "base/random.h"
#include "base/time.h"
#include "protocol/rosenpass/key.h"
#include "protocol/rosenpass/messages.h"

#include <deque>
#include <optional>

namespace trellis::rosenpass {

/// Rises with each biscuit of a node; the first one is 1. On the wire it has 12 bytes.
using BiscuitNumber = std::uint64_t;

/// The responder's state between RespHello and InitConf, which the initiator carries for it.
struct Biscuit {
  PeerHash pidi;
  BiscuitNumber number = 0;
  crypto::ChainingKey chaining_key;
};

/// h(BAD, spkr, sidi, sidr): binds a biscuit to its exchange.
crypto::Digest biscuit_additional_data(const StaticPublicKey& own, SessionId sidi, SessionId sidr);

/// nonce (24), sealed text (76), tag (16)
SealedBiscuit seal_biscuit(const crypto::SymmetricKey& key, const crypto::Digest& additional_data,
                           const Biscuit& biscuit, Random& random);
std::optional<Biscuit> open_biscuit(const crypto::SymmetricKey& key,
                                    const crypto::Digest& additional_data,
                                    const SealedBiscuit& sealed);

/// The keys that seal biscuits. One is made when it is needed, seals for an epoch, and opens for
/// one more; then it is wiped. A slot without a key is never tried.
class BiscuitKeys {
 public:
  const crypto::SymmetricKey& sealing_key(TimePoint now, Random& random);
  std::optional<Biscuit> open(TimePoint now, const crypto::Digest& additional_data,
                              const SealedBiscuit& sealed);
  /// Wipes what is too old.
  void expire(TimePoint now);
  std::optional<TimePoint> next_expiry() const;

 private:
  struct Key {
    crypto::SymmetricKey key;
    TimePoint made_at;
  };
  std::optional<Key> young_;
  std::optional<Key> old_;
};

/// Numbers biscuits, and remembers roughly when: a biscuit has no room for a time.
class BiscuitCounter {
 public:
  BiscuitNumber issue(TimePoint now);
  BiscuitNumber last() const { return last_; }
  /// A time not after the issue of `number`, and less than kBiscuitMarkEvery before it; nothing if
  /// that was kRejectAfter ago or longer, or if the number was never issued.
  std::optional<TimePoint> issued_at(TimePoint now, BiscuitNumber number) const;

 private:
  struct Mark {
    TimePoint time;
    BiscuitNumber first;
  };
  std::deque<Mark> marks_;  // at most kRejectAfter / kBiscuitMarkEvery and two
  BiscuitNumber last_ = 0;
};

}  // namespace trellis::rosenpass
