#pragma once

#include "crypto/keys.h"
#include "node/pair/key_name.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace trellis::pair {

/// Which Rosenpass key each WireGuard key has been seen to hold, since the first completed
/// exchange. Whoever can rewrite the list of peers can not change this. [pair rule 3]
class Pins {
 public:
  struct Pin {
    KeyName key;
    std::string peer;  // the name it had then
    friend bool operator==(const Pin&, const Pin&) = default;
  };
  enum class Verdict {
    New,      // never completed an exchange
    Same,     // offers the pinned key
    Changed,  // offers another key: refused
    Missing,  // offers no key any more: refused, in permissive mode too
  };

  Verdict check(const crypto::PublicKey& peer, const std::optional<KeyName>& offered) const;
  /// The WireGuard key that was pinned under this peer's name, if it is another one than `now`.
  std::optional<crypto::PublicKey> renamed(const std::string& peer,
                                           const crypto::PublicKey& now) const;
  const Pin* find(const crypto::PublicKey& peer) const;

  /// After a completed exchange; a pin that exists stays. True if something changed.
  bool pin(const crypto::PublicKey& peer, const Pin& pin);
  /// The name under which a WireGuard key is listed now; nothing: it is not.
  using Listing = std::function<std::optional<std::string>(const crypto::PublicKey&)>;
  /// By a local administrator's word: what is offered now replaces what was pinned under this
  /// WireGuard key, and under this name by a machine that is not listed any more. One that is
  /// listed, by another name, keeps its pin and has that name from now on.
  void trust(const crypto::PublicKey& peer, const std::string& name,
             const std::optional<KeyName>& offered, const Listing& listing);

  const std::map<crypto::PublicKey, Pin>& all() const { return pins_; }
  void restore(const crypto::PublicKey& peer, Pin pin) { pins_[peer] = std::move(pin); }

 private:
  std::map<crypto::PublicKey, Pin> pins_;
};

}  // namespace trellis::pair
