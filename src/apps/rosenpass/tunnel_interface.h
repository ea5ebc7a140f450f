#pragma once

#include "apps/rosenpass/rp.h"
#include "base/result.h"
#include "system/route.h"

#include <cstdint>
#include <memory>
#include <string>

namespace trellis::rosenpass_program {

/// The WireGuard interface of a tunnel: the kernel's, or where it has none, one of trellis-wg or
/// wireguard-go. It has no peers at first: each comes with its first key.
class TunnelInterface {
 public:
  /// With address, routes and port; removed again on failure. Needs root.
  static Result<std::unique_ptr<TunnelInterface>> make(const Tunnel& tunnel);
  TunnelInterface(const TunnelInterface&) = delete;
  TunnelInterface& operator=(const TunnelInterface&) = delete;
  /// Removes it.
  ~TunnelInterface();

 private:
  TunnelInterface(system::Routes routes, std::string name)
      : routes_(std::move(routes)), name_(std::move(name)) {}
  Result<> set_up(const Tunnel& tunnel);
  Result<> set_key_and_port(const Tunnel& tunnel);
  Result<> add_routes(const Tunnel& tunnel);

  system::Routes routes_;
  std::string name_;
  std::uint32_t index_ = 0;
};

}  // namespace trellis::rosenpass_program
