#pragma once

#include "base/network_interface.h"
#include "base/result.h"
#include "base/time.h"
#include "system/loop.h"

#include <functional>
#include <memory>
#include <string>

namespace trellis::system {

/// Interfaces and default routes of this network namespace; needs no privilege. Interface
/// `ignored`, if it is not empty, is left out.
Result<NetworkState> read_network_state(const std::string& ignored = "");

/// Tells when the host's network has changed: an interface, an address, a default route.
///
/// The kernel's notices come in bursts, and again and again without a change (router
/// advertisements). So after a notice it waits until there was none for `quiet`, then reads the
/// state and calls back only if it is another one.
class NetworkMonitor {
 public:
  struct Options {
    std::string ignored_interface = {};  // our own: what we do to it is no news
    Duration quiet = 200ms;
    Duration delay_max = 1s;  // from the first notice, however many follow
  };
  using Changed = std::function<void(const NetworkState&)>;

  /// `changed` is called from the loop, which must outlive the monitor; it may destroy neither.
  static Result<NetworkMonitor> create(Loop& loop, Options options, Changed changed);
  NetworkMonitor(NetworkMonitor&&) noexcept;
  NetworkMonitor& operator=(NetworkMonitor&&) noexcept;
  NetworkMonitor(const NetworkMonitor&) = delete;
  NetworkMonitor& operator=(const NetworkMonitor&) = delete;
  ~NetworkMonitor();

  /// As last read; at first when it was made.
  const NetworkState& state() const;

 private:
  struct State;
  explicit NetworkMonitor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trellis::system
