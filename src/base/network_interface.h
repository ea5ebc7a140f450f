#pragma once

#include "base/address.h"

#include <cstdint>
#include <string>
#include <vector>

namespace trellis {

/// An interface of this host, as the kernel tells of it.
struct NetworkInterface {
  struct Address {
    InterfaceAddress address;
    bool usable = true;  // IPv6: no other machine has it, and it may begin new conversations
    friend bool operator==(const Address&, const Address&) = default;
  };

  std::string name;
  std::uint32_t index = 0;
  bool up = false;  // switched on, and its cable is in
  bool loopback = false;
  bool tunnel = false;  // a WireGuard or TUN device: some VPN's
  bool bridge = false;  // of virtual machines and containers, often
  std::vector<Address> addresses;

  friend bool operator==(const NetworkInterface&, const NetworkInterface&) = default;
};

/// A way to everywhere.
struct DefaultRoute {
  IpAddress::Family family = IpAddress::Family::V4;
  std::uint32_t interface = 0;  // index; 0: several, or none
  IpAddress gateway;            // unspecified: none
  std::uint32_t metric = 0;
  friend auto operator<=>(const DefaultRoute&, const DefaultRoute&) = default;
};

/// What of the host's network a path may depend on.
struct NetworkState {
  std::vector<NetworkInterface> interfaces;  // by index; their addresses sorted
  std::vector<DefaultRoute> default_routes;  // sorted
  friend bool operator==(const NetworkState&, const NetworkState&) = default;
};

}  // namespace trellis
