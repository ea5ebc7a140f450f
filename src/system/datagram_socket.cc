#include "system/datagram_socket.h"

#include "system/socket_address.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace trellis::system {
namespace {

tl::unexpected<Error> bind_error(const Endpoint& at, int number) {
  const std::string where = at.to_string();
  switch (number) {
    case EADDRINUSE:
      return fail_with(
          fmt::format("UDP port {} is in use by another program, which `ss -lunp sport = :{}` "
                      "names: stop it, or listen on another port",
                      where, at.port));
    case EADDRNOTAVAIL:
      return fail_with(fmt::format(
          "cannot listen on {}: this host has no such address (`ip address` lists them)", where));
    case EACCES:
      return fail_with(fmt::format("UDP port {} may be used by root only", where));
    default:
      return fail_with_errno("cannot listen on UDP port " + where, number);
  }
}

/// ::ffff:a.b.c.d, as an IPv6 socket wants IPv4 addresses.
Endpoint mapped(const Endpoint& endpoint) {
  Bytes<16> bytes{};
  bytes[10] = bytes[11] = std::byte{0xff};
  const ByteView v4 = endpoint.address.bytes();
  std::copy(v4.begin(), v4.end(), bytes.begin() + 12);
  return Endpoint{IpAddress::v6(bytes), endpoint.port};
}

}  // namespace

Result<DatagramSocket> DatagramSocket::bind(const Endpoint& at, Families families) {
  SocketAddress address{};
  const socklen_t length = to_socket_address(at, address);
  const int family = address.any.sa_family;
  Descriptor socket(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, /*protocol=*/0));
  if (!socket.valid()) return bind_error(at, errno);
  const bool dual = at.address.is_v6() && at.address.is_unspecified() && families == Families::Both;
  if (at.address.is_v6()) {
    const int v6_only = dual ? 0 : 1;
    if (::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) != 0) {
      return bind_error(at, errno);
    }
  }
  if (::bind(socket.get(), &address.any, length) != 0) return bind_error(at, errno);
  SocketAddress bound{};
  socklen_t bound_length = sizeof bound;
  if (::getsockname(socket.get(), &bound.any, &bound_length) != 0) return bind_error(at, errno);
  Endpoint local = at;
  local.port = to_endpoint(bound).port;
  return DatagramSocket(std::move(socket), local, dual);
}

std::optional<DatagramSocket::Received> DatagramSocket::receive(MutableByteView buffer) {
  while (true) {
    SocketAddress from{};
    socklen_t length = sizeof from;
    const ssize_t n =
        ::recvfrom(socket_.get(), buffer.data(), buffer.size(), MSG_TRUNC, &from.any, &length);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
    if (n < 0) continue;  // an error of an earlier datagram: each is told once
    const auto size = static_cast<std::size_t>(n);
    if (size > buffer.size()) continue;
    return Received{to_endpoint(from), buffer.first(size)};
  }
}

bool DatagramSocket::reaches(const IpAddress& address) const {
  if (address.is_v4() != local_.address.is_v4() && !(address.is_v4() && dual_)) return false;
  return local_.address.is_unspecified() || local_.address.is_loopback() == address.is_loopback();
}

int DatagramSocket::send(const Endpoint& to, ByteView bytes) {
  SocketAddress address{};
  const bool to_map = dual_ && to.address.is_v4();
  const socklen_t length = to_socket_address(to_map ? mapped(to) : to, address);
  while (::sendto(socket_.get(), bytes.data(), bytes.size(), 0, &address.any, length) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace trellis::system
