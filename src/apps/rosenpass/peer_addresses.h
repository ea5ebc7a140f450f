#pragma once

#include "base/address.h"

#include <optional>
#include <vector>

namespace trellis::rosenpass_program {

/// Where a peer may be: the addresses of its configured name, and the one from which it was heard
/// last. One at a time is tried.
class PeerAddresses {
 public:
  /// Of the configured name; the one in use stays in use.
  void set_resolved(std::vector<Endpoint> addresses);
  /// The peer spoke from there.
  void set_heard(const Endpoint& address);

  /// The one to use.
  std::optional<Endpoint> current() const { return current_; }
  /// In its place the next one, round and round. False if there is no other.
  bool try_next();

 private:
  std::vector<Endpoint> all() const;

  std::vector<Endpoint> resolved_;
  std::optional<Endpoint> heard_;
  std::optional<Endpoint> current_;
};

}  // namespace trellis::rosenpass_program
