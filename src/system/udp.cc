#include "system/udp.h"

#include "system/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace trellis::system {
namespace {

constexpr std::size_t kBatch = 64;

Result<> set_option(int descriptor, int level, int name, int value, const char* what) {
  if (::setsockopt(descriptor, level, name, &value, sizeof value) != 0) {
    return fail_with_errno(what, errno);
  }
  return {};
}

/// As large as we may: beyond the system's limit with CAP_NET_ADMIN, else up to it.
void set_buffer(int descriptor, int force, int ordinary, int bytes) {
  if (set_option(descriptor, SOL_SOCKET, force, bytes, "")) return;
  static_cast<void>(set_option(descriptor, SOL_SOCKET, ordinary, bytes, ""));
}

Result<> mark_socket(int descriptor, std::uint32_t mark) {
  if (::setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0) return {};
  if (errno == EPERM) {
    return fail_with("a firewall mark may be set by root (CAP_NET_ADMIN) only");
  }
  return fail_with_errno(fmt::format("cannot set the firewall mark {}", mark), errno);
}

Result<Descriptor> make_socket(int family, const UdpSocket::Options& options) {
  Descriptor socket(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!socket.valid()) return fail_with_errno("cannot make a UDP socket", errno);
  if (family == AF_INET6) {
    TRY(set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"));
  }
  set_buffer(socket.get(), SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer_bytes);
  set_buffer(socket.get(), SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer_bytes);
  if (options.mark != 0) TRY(mark_socket(socket.get(), options.mark));
  return socket;
}

/// Binds to `port` (0: any) and returns the port, or an errno.
Expected<std::uint16_t, int> bind_socket(int descriptor, int family, std::uint16_t port,
                                         bool loopback_only) {
  SocketAddress address{};
  socklen_t length = 0;
  if (family == AF_INET) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(port);
    address.v4.sin_addr.s_addr = htonl(loopback_only ? INADDR_LOOPBACK : INADDR_ANY);
    length = sizeof address.v4;
  } else {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
    address.v6.sin6_addr = loopback_only ? in6addr_loopback : in6addr_any;
    length = sizeof address.v6;
  }
  if (::bind(descriptor, &address.any, length) != 0) return fail(int{errno});
  length = sizeof address;
  if (::getsockname(descriptor, &address.any, &length) != 0) return fail(int{errno});
  return ntohs(family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

tl::unexpected<Error> port_error(std::uint16_t port, int number) {
  if (number == EADDRINUSE) {
    return fail_with(fmt::format(
        "UDP port {} is in use by another program: stop it (`ss -ulnp sport = :{}` names it), or "
        "choose another port",
        port, port));
  }
  if (number == EACCES) {
    return fail_with(fmt::format("UDP port {} is below 1024 and may be used by root only", port));
  }
  return fail_with_errno(fmt::format("cannot listen on UDP port {}", port), number);
}

}  // namespace

struct UdpSocket::Arrays {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  std::array<SocketAddress, kBatch> addresses{};

  Arrays() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_name = &addresses[i];
    }
  }
};

UdpSocket::UdpSocket()
    : receiving_(std::make_unique<Arrays>()), sending_(std::make_unique<Arrays>()) {}
UdpSocket::UdpSocket(UdpSocket&&) noexcept = default;
UdpSocket& UdpSocket::operator=(UdpSocket&&) noexcept = default;
UdpSocket::~UdpSocket() = default;

Result<UdpSocket> UdpSocket::open(const Options& options) {
  // A port that the kernel picked for IPv4 may be taken for IPv6; then it picks another one.
  constexpr int kAttempts = 16;
  for (int attempt = 1;; ++attempt) {
    UdpSocket result;
    result.v4_ = TRY(make_socket(AF_INET, options));
    const auto port = bind_socket(result.v4_.get(), AF_INET, options.port, options.loopback_only);
    if (!port) return port_error(options.port, port.error());
    result.port_ = *port;

    auto v6 = make_socket(AF_INET6, options);
    if (!v6) {
      // A kernel without IPv6 has no such sockets; any other error would be IPv4's, too.
      return result;
    }
    const auto same_port = bind_socket(v6->get(), AF_INET6, *port, options.loopback_only);
    if (same_port) {
      result.v6_ = *std::move(v6);
      return result;
    }
    if (same_port.error() == EADDRNOTAVAIL) return result;  // IPv6 is switched off (disable_ipv6)
    if (same_port.error() == EADDRINUSE && options.port == 0 && attempt < kAttempts) continue;
    return port_error(*port, same_port.error());
  }
}

int UdpSocket::descriptor(IpAddress::Family family) const {
  return (family == IpAddress::Family::V4 ? v4_ : v6_).get();
}

Result<> UdpSocket::set_mark(std::uint32_t mark) {
  TRY(mark_socket(v4_.get(), mark));
  if (v6_.valid()) TRY(mark_socket(v6_.get(), mark));
  return {};
}

bool UdpSocket::receive(IpAddress::Family family, PacketBatch& batch,
                        std::vector<ReceivedDatagram>& datagrams) {
  datagrams.clear();
  const int from = descriptor(family);
  if (from < 0) return false;
  const std::size_t wanted = std::min(kBatch, batch.size());
  for (std::size_t i = 0; i < wanted; ++i) {
    const MutableByteView slot = batch.slot(i);
    receiving_->vectors[i] = {slot.data(), slot.size()};
    receiving_->messages[i].msg_hdr.msg_namelen = sizeof(SocketAddress);
    receiving_->messages[i].msg_hdr.msg_flags = 0;
  }
  const int n = ::recvmmsg(from, receiving_->messages.data(), static_cast<unsigned>(wanted),
                           MSG_DONTWAIT, nullptr);
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == EINTR) return true;
    count(errno);  // an error that an earlier datagram caused is reported once, in front of others
    return true;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    const mmsghdr& message = receiving_->messages[i];
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      ++counters_.truncated;
      continue;
    }
    datagrams.push_back(ReceivedDatagram{to_endpoint(receiving_->addresses[i]),
                                         batch.slot(i).first(message.msg_len)});
  }
  return static_cast<std::size_t>(n) == wanted;
}

std::size_t UdpSocket::send(std::span<const OutgoingDatagram> datagrams) {
  std::size_t done = 0;
  while (done < datagrams.size()) {
    const bool v4 = datagrams[done].to.address.is_v4();
    std::size_t end = done + 1;
    while (end < datagrams.size() && end - done < kBatch &&
           datagrams[end].to.address.is_v4() == v4) {
      ++end;
    }
    const auto run = datagrams.subspan(done, end - done);
    const Descriptor& socket = v4 ? v4_ : v6_;
    if (!socket.valid()) {
      counters_.unreachable += run.size();
      done = end;
      continue;
    }
    const std::size_t sent = send_run(socket.get(), run);
    done += sent;
    if (sent < run.size()) break;
  }
  return done;
}

std::size_t UdpSocket::send_run(int descriptor, std::span<const OutgoingDatagram> run) {
  for (std::size_t i = 0; i < run.size(); ++i) {
    // sendmsg only reads, but its iovec is that of recvmsg, too.
    sending_->vectors[i] = {const_cast<std::byte*>(run[i].bytes.data()), run[i].bytes.size()};
    sending_->messages[i].msg_hdr.msg_namelen =
        to_socket_address(run[i].to, sending_->addresses[i]);
  }
  std::size_t done = 0;
  while (done < run.size()) {
    const int n = ::sendmmsg(descriptor, sending_->messages.data() + done,
                             static_cast<unsigned>(run.size() - done), MSG_DONTWAIT);
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      break;
    } else if (n < 0 && errno != EINTR) {
      count(errno);  // of the first that was not sent
      ++done;
    }
  }
  return done;
}

void UdpSocket::count(int error) {
  switch (error) {
    case ECONNREFUSED:
      ++counters_.refused;
      break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case ENETDOWN:
      ++counters_.unreachable;
      break;
    case EMSGSIZE:
      ++counters_.too_long;
      break;
    case ENOBUFS:
    case ENOMEM:
      ++counters_.no_buffers;
      break;
    case EPERM:
    case EACCES:
      ++counters_.forbidden;
      break;
    default:
      ++counters_.other;
      break;
  }
}

}  // namespace trellis::system
