#include "system/socket_address.h"

#include <arpa/inet.h>

#include <cstring>

namespace trellis::system {

socklen_t to_socket_address(const Endpoint& endpoint, SocketAddress& target) {
  target = {};
  if (endpoint.address.is_v4()) {
    target.v4.sin_family = AF_INET;
    target.v4.sin_port = htons(endpoint.port);
    std::memcpy(&target.v4.sin_addr, endpoint.address.bytes().data(), 4);
    return sizeof target.v4;
  }
  target.v6.sin6_family = AF_INET6;
  target.v6.sin6_port = htons(endpoint.port);
  target.v6.sin6_scope_id = endpoint.scope;
  std::memcpy(&target.v6.sin6_addr, endpoint.address.bytes().data(), 16);
  return sizeof target.v6;
}

Endpoint to_endpoint(const SocketAddress& source) {
  if (source.any.sa_family == AF_INET) {
    Bytes<4> bytes;
    std::memcpy(bytes.data(), &source.v4.sin_addr, bytes.size());
    return Endpoint{IpAddress::v4(bytes), ntohs(source.v4.sin_port), 0};
  }
  Bytes<16> bytes;
  std::memcpy(bytes.data(), &source.v6.sin6_addr, bytes.size());
  const IpAddress address = IpAddress::v6(bytes).unmapped();
  return Endpoint{address, ntohs(source.v6.sin6_port),
                  address.is_link_local() && address.is_v6() ? source.v6.sin6_scope_id : 0};
}

}  // namespace trellis::system
