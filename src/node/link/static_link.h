#pragma once

#include "base/address.h"

#include <optional>
#include <vector>

namespace trellis::link {

/// The path to a peer that is known from a file. There is no second channel over which addresses
/// could be checked, so the path follows what the peer itself has authenticated, as WireGuard's
/// does, and returns to the configured addresses when it falls silent.
class StaticLink {
 public:
  /// What the configured endpoint stands for now (a host name may stand for several), best first.
  /// A path that works is left alone.
  void set_configured(std::vector<Endpoint> endpoints);
  /// A fresh authenticated message came from there. True if the path moved.
  bool authenticated(const Endpoint& from);
  /// Nothing came back over the path: try the next address. True if the path moved.
  bool unanswered();

  const std::optional<Endpoint>& path() const { return path_; }
  const std::vector<Endpoint>& configured() const { return configured_; }

 private:
  bool move_to(const Endpoint& endpoint);

  std::vector<Endpoint> configured_;
  std::optional<Endpoint> learned_;  // where the peer was heard last
  std::optional<Endpoint> path_;
};

}  // namespace trellis::link
