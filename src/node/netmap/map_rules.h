#pragma once

#include "node/netmap/map.h"

#include <cstdint>
#include <unordered_set>
#include <vector>

namespace trellis::wire::management {
class FirewallRule;
}  // namespace trellis::wire::management

namespace trellis::netmap {

/// What the rules of a map let in, as far as an agent without a packet filter can keep them: all of
/// a peer, or nothing of it. [pair rule 10]
///
/// A rule covers a single address, a prefix, or everybody ("0.0.0.0"). What counts is what is let
/// *in*: what goes out is the other end's to let in. Anything less than everything (a port, a
/// protocol, a rule that drops, a rule for one way only) closes the addresses that it covers.
class Rules {
 public:
  /// Fails if a map of our own server has no rules and does not say that it has none: a stock
  /// server means "everything is allowed" by that, ours never sends it.
  static Result<Rules> read(const wire::management::NetworkMap& map, MapSource source);

  enum class Verdict : std::uint8_t {
    Open,     // every packet from there is let in
    Closed,   // none is
    Partial,  // some are: more than we can tell apart
  };
  Verdict verdict(const IpAddress& address) const;

  /// Whoever joins the network is let in, without a rule of his own.
  bool open_to_all() const { return opens_.everybody && dropped_.empty(); }

 private:
  /// A set of addresses.
  struct Cover {
    bool everybody = false;
    std::unordered_set<IpAddress> addresses;
    std::vector<Prefix> prefixes;

    void add(const Prefix& prefix);
    bool contains(const IpAddress& address) const;
    bool empty() const { return !everybody && addresses.empty() && prefixes.empty(); }
  };

  void add(const wire::management::FirewallRule& rule);

  Cover opens_;    // everything is let in
  Cover partial_;  // something may pass, one way or the other
  Cover dropped_;  // something may not
};

}  // namespace trellis::netmap
