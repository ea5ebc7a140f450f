#pragma once

// Internal to system: addresses as the kernel takes them.

#include "base/address.h"

#include <netinet/in.h>
#include <sys/socket.h>

namespace trellis::system {

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

/// Returns the length of what it wrote.
socklen_t to_socket_address(const Endpoint& endpoint, SocketAddress& target);

/// Of AF_INET or AF_INET6. Never an IPv4-mapped address.
Endpoint to_endpoint(const SocketAddress& source);

}  // namespace trellis::system
