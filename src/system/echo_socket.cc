#include "system/echo_socket.h"

#include "system/clock.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace trellis::system {
namespace {

//  0        1        2                3
//  +--------+--------+----------------+
//  | type   | code 0 | checksum       |   the same in both families
//  +--------+--------+----------------+
//  | identifier      | sequence       |
//  +-----------------+----------------+
//  | 48 bytes, zero                   |
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kEchoBytes = 56;
constexpr std::uint8_t kRequestV4 = 8;
constexpr std::uint8_t kReplyV4 = 0;
constexpr std::uint8_t kRequestV6 = 128;
constexpr std::uint8_t kReplyV6 = 129;

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

void put16(MutableByteView bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value & 0xff);
}

std::uint16_t get16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>((std::to_integer<unsigned>(bytes[at]) << 8) |
                                    std::to_integer<unsigned>(bytes[at + 1]));
}

/// [RFC 1071]; `bytes` of even length.
std::uint16_t checksum(ByteView bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += get16(bytes, i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::pair<SocketAddress, socklen_t> socket_address(const IpAddress& address) {
  SocketAddress result{};
  if (address.is_v4()) {
    result.v4.sin_family = AF_INET;
    std::memcpy(&result.v4.sin_addr, address.bytes().data(), 4);
    return {result, sizeof result.v4};
  }
  result.v6.sin6_family = AF_INET6;
  std::memcpy(&result.v6.sin6_addr, address.bytes().data(), 16);
  return {result, sizeof result.v6};
}

}  // namespace

EchoSocket::EchoSocket(Descriptor socket, const IpAddress& to, Kind kind)
    : socket_(std::move(socket)),
      to_(to),
      kind_(kind),
      identifier_(static_cast<std::uint16_t>(::getpid())) {}

Result<EchoSocket> EchoSocket::open(const IpAddress& to) {
  const int family = to.is_v4() ? AF_INET : AF_INET6;
  const int protocol = to.is_v4() ? static_cast<int>(IPPROTO_ICMP) : IPPROTO_ICMPV6;
  Kind kind = Kind::Ping;
  Descriptor socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!socket.valid()) {
    kind = Kind::Raw;
    socket = Descriptor(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  }
  if (!socket.valid() && (errno == EPERM || errno == EACCES)) {
    return fail_with(
        "this user may not send pings: run it with sudo, or let everybody by "
        "`sysctl net.ipv4.ping_group_range=\"0 2147483647\"`");
  }
  if (!socket.valid()) return fail_with_errno("cannot make a socket for pings", errno);
  const auto [address, length] = socket_address(to);
  if (::connect(socket.get(), &address.any, length) != 0) {
    return fail_with_errno("no way to " + to.to_string(), errno);
  }
  return EchoSocket(std::move(socket), to, kind);
}

Result<> EchoSocket::send(std::uint16_t sequence) {
  Bytes<kEchoBytes> packet{};
  packet[0] = static_cast<std::byte>(to_.is_v4() ? kRequestV4 : kRequestV6);
  put16(packet, 4, identifier_);
  put16(packet, 6, sequence);
  if (to_.is_v4()) put16(packet, 2, checksum(packet));  // of the other the kernel makes it
  if (::send(socket_.get(), packet.data(), packet.size(), 0) < 0) {
    return fail_with_errno("cannot send to " + to_.to_string(), errno);
  }
  return {};
}

std::optional<std::uint16_t> EchoSocket::sequence_of(ByteView packet) const {
  if (kind_ == Kind::Raw && to_.is_v4()) {  // raw sockets of IPv4 see the header
    if (packet.empty()) return std::nullopt;
    const std::size_t header = 4 * (std::to_integer<std::size_t>(packet[0]) & 15);
    if (packet.size() < header) return std::nullopt;
    packet = packet.subspan(header);
  }
  if (packet.size() < kHeaderBytes) return std::nullopt;
  const auto type = std::to_integer<std::uint8_t>(packet[0]);
  if (type != (to_.is_v4() ? kReplyV4 : kReplyV6)) return std::nullopt;
  if (kind_ == Kind::Raw && get16(packet, 4) != identifier_) return std::nullopt;
  return get16(packet, 6);
}

Result<std::optional<EchoSocket::Answer>> EchoSocket::receive(TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - boot_now()).count();
    pollfd entry{socket_.get(), POLLIN, 0};
    const int ready =
        ::poll(&entry, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    if (ready < 0 && errno != EINTR) return fail_with_errno("cannot wait for an answer", errno);
    if (ready == 0 && boot_now() >= deadline) return std::nullopt;
    if (ready <= 0) continue;
    std::array<std::byte, 2048> packet;
    const ssize_t n = ::recv(socket_.get(), packet.data(), packet.size(), 0);
    const TimePoint now = boot_now();
    if (n < 0) continue;  // an ICMP error about our request: as good as lost
    const auto sequence = sequence_of(ByteView(packet).first(static_cast<std::size_t>(n)));
    if (sequence) return Answer{*sequence, now};
  }
}

}  // namespace trellis::system
