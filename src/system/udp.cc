#include "system/udp.h"

#include "system/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace trellis::system {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kVectors = 256;
constexpr std::size_t kSegmentsMax = 64;        // UDP_MAX_SEGMENTS of older kernels
constexpr std::size_t kSegmentsBytes = 65'487;  // behind headers of either family
// Of messages that may have 64 KiB each: so many at once, to stay in the cache.
constexpr std::size_t kWave = 4;
constexpr std::size_t kWaveBytes = 96 << 10;
constexpr std::size_t kSmallBytes = 512;

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

/// Nothing is cut into fragments, here or on the way: what is too long is refused, and IPv4 packets
/// say so to routers (DF).
Result<> forbid_fragments(int descriptor, int family, bool forbid) {
  if (family == AF_INET) {
    return set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER,
                      forbid ? IP_PMTUDISC_DO : IP_PMTUDISC_WANT, "IP_MTU_DISCOVER");
  }
  TRY(set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                 forbid ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_WANT, "IPV6_MTU_DISCOVER"));
  return set_option(descriptor, IPPROTO_IPV6, IPV6_DONTFRAG, forbid ? 1 : 0, "IPV6_DONTFRAG");
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
  TRY(forbid_fragments(socket.get(), family, true));
  TRY(family == AF_INET
          ? set_option(socket.get(), IPPROTO_IP, IP_RECVTOS, 1, "IP_RECVTOS")
          : set_option(socket.get(), IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS"));
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

/// Room for two control messages with a number each.
struct alignas(cmsghdr) Control {
  std::array<std::byte, 2 * CMSG_SPACE(sizeof(int))> bytes{};
};

struct UdpSocket::Receiving {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  std::array<SocketAddress, kBatch> addresses{};
  std::array<Control, kBatch> controls{};

  Receiving() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_name = &addresses[i];
    }
  }
};

struct UdpSocket::Sending {
  std::array<mmsghdr, kBatch> messages{};
  std::array<std::size_t, kBatch> datagrams{};  // in each message
  std::array<iovec, kVectors> vectors{};
  std::array<SocketAddress, kBatch> addresses{};
  std::array<Control, kBatch> controls{};
  std::size_t count = 0;  // of messages
};

UdpSocket::UdpSocket()
    : receiving_(std::make_unique<Receiving>()), sending_(std::make_unique<Sending>()) {}
UdpSocket::UdpSocket(UdpSocket&&) noexcept = default;
UdpSocket& UdpSocket::operator=(UdpSocket&&) noexcept = default;
UdpSocket::~UdpSocket() = default;

Result<UdpSocket> UdpSocket::open(const Options& options) {
  // A port that the kernel picked for IPv4 may be taken for IPv6; then it picks another one.
  constexpr int kAttempts = 16;
  for (int attempt = 1;; ++attempt) {
    UdpSocket result;
    result.mark_ = options.mark;
    result.v4_ = TRY(make_family(AF_INET, options));
    const auto port =
        bind_socket(result.v4_.socket.get(), AF_INET, options.port, options.loopback_only);
    if (!port) return port_error(options.port, port.error());
    result.port_ = *port;

    auto v6 = make_family(AF_INET6, options);
    if (!v6) {
      // A kernel without IPv6 has no such sockets; any other error would be IPv4's, too.
      return result;
    }
    const auto same_port = bind_socket(v6->socket.get(), AF_INET6, *port, options.loopback_only);
    if (same_port) {
      result.v6_ = *std::move(v6);
      return result;
    }
    if (same_port.error() == EADDRNOTAVAIL) return result;  // IPv6 is switched off (disable_ipv6)
    if (same_port.error() == EADDRINUSE && options.port == 0 && attempt < kAttempts) continue;
    return port_error(*port, same_port.error());
  }
}

Result<UdpSocket::Family> UdpSocket::make_family(int family, const Options& options) {
  Family result;
  result.socket = TRY(make_socket(family, options));
  if (options.offloads == Offloads::None) return result;
  int size = 0;
  socklen_t length = sizeof size;
  const int socket = result.socket.get();
  result.segments = ::getsockopt(socket, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0;
  result.joins = set_option(socket, IPPROTO_UDP, UDP_GRO, 1, "").has_value();
  return result;
}

int UdpSocket::descriptor(IpAddress::Family family) const { return of(family).socket.get(); }

Result<> UdpSocket::set_mark(std::uint32_t mark) {
  TRY(mark_socket(v4_.socket.get(), mark));
  mark_ = mark;
  if (v6_.socket.valid()) TRY(mark_socket(v6_.socket.get(), mark));
  return {};
}

// ---- receiving -------------------------------------------------------------------------------

bool UdpSocket::receive(IpAddress::Family family, PacketBatch& batch,
                        std::vector<ReceivedDatagram>& datagrams) {
  datagrams.clear();
  const Family& from = of(family);
  if (!from.socket.valid()) return false;
  const std::size_t slots = std::min(kBatch, batch.size());
  std::size_t wave = from.joins ? kWave : slots;
  std::size_t bytes = 0;
  for (std::size_t first = 0; first < slots && bytes < kWaveBytes;) {
    const std::size_t wanted = std::min(wave, slots - first);
    const int n = receive_wave(from.socket.get(), batch, first, wanted);
    if (n < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
      // An error that an earlier datagram caused is reported once, in front of others.
      if (errno != EINTR) count(errno);
      return true;
    }
    const std::size_t end = first + static_cast<std::size_t>(n);
    const std::size_t bytes_before = bytes;
    for (; first < end; ++first) {
      bytes += receiving_->messages[first].msg_len;
      note_received(first, batch, datagrams);
    }
    // Many small ones, as in a flood: the next will be small, too.
    if (bytes - bytes_before <= wanted * kSmallBytes) wave = std::min(wave * 4, slots);
    if (static_cast<std::size_t>(n) < wanted) return false;
  }
  return true;
}

int UdpSocket::receive_wave(int descriptor, PacketBatch& batch, std::size_t first,
                            std::size_t count) {
  for (std::size_t i = first; i < first + count; ++i) {
    const MutableByteView slot = batch.slot(i);
    msghdr& header = receiving_->messages[i].msg_hdr;
    receiving_->vectors[i] = {slot.data(), slot.size()};
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_flags = 0;
    header.msg_control = receiving_->controls[i].bytes.data();
    header.msg_controllen = receiving_->controls[i].bytes.size();
  }
  return ::recvmmsg(descriptor, &receiving_->messages[first], static_cast<unsigned>(count),
                    MSG_DONTWAIT, nullptr);
}

/// What the kernel tells of a message besides its bytes.
struct Told {
  std::size_t size_of_joined =
      0;  // of the datagrams that were joined in it, 0 if it is a single one
  std::uint8_t traffic_class = 0;
};

Told told_of(msghdr& header) {
  Told result;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    int number = 0;  // IP_TOS comes as a byte
    std::memcpy(&number, CMSG_DATA(control),
                std::min(sizeof number, control->cmsg_len - CMSG_LEN(0)));
    if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
      result.size_of_joined = number > 0 ? static_cast<std::size_t>(number) : 0;
    } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
      std::memcpy(&result.traffic_class, CMSG_DATA(control), 1);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
      result.traffic_class = static_cast<std::uint8_t>(number);
    }
  }
  return result;
}

void UdpSocket::note_received(std::size_t index, PacketBatch& batch,
                              std::vector<ReceivedDatagram>& datagrams) {
  mmsghdr& message = receiving_->messages[index];
  if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) {
    ++counters_.truncated;
    return;
  }
  const Endpoint from = to_endpoint(receiving_->addresses[index]);
  MutableByteView rest = batch.slot(index).first(message.msg_len);
  const auto [size, traffic_class] = told_of(message.msg_hdr);
  while (size != 0 && rest.size() > size) {
    datagrams.push_back({from, rest.first(size), traffic_class});
    rest = rest.subspan(size);
  }
  datagrams.push_back({from, rest, traffic_class});
}

// ---- sending ---------------------------------------------------------------------------------

namespace {

bool same_headers(const OutgoingDatagram& a, const OutgoingDatagram& b) {
  return a.to == b.to && a.traffic_class == b.traffic_class;
}

/// How many datagrams from the front may go in one message: all of the size of the first, but for
/// the last one, which may be shorter.
std::size_t run_length(std::span<const OutgoingDatagram> datagrams, std::size_t most) {
  const OutgoingDatagram& first = datagrams.front();
  const std::size_t size = first.bytes.size();
  if (size == 0) return 1;
  most = std::min({most, datagrams.size(), kSegmentsMax, kSegmentsBytes / size});
  std::size_t count = 1;
  while (count < most && same_headers(datagrams[count], first) &&
         datagrams[count].bytes.size() == size) {
    ++count;
  }
  const bool one_more = count < most && same_headers(datagrams[count], first) &&
                        datagrams[count].bytes.size() < size && !datagrams[count].bytes.empty();
  return std::max<std::size_t>(one_more ? count + 1 : count, 1);
}

/// Appends a control message.
template <class Value>
void add_control(msghdr& header, Control& control, int level, int type, Value value) {
  const std::size_t used = header.msg_controllen;
  header.msg_control = control.bytes.data();
  header.msg_controllen = used + CMSG_SPACE(sizeof value);
  CHECK(header.msg_controllen <= control.bytes.size());
  cmsghdr message{};
  message.cmsg_level = level;
  message.cmsg_type = type;
  message.cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(control.bytes.data() + used, &message, sizeof message);
  std::memcpy(control.bytes.data() + used + CMSG_LEN(0), &value, sizeof value);
}

void ask_for_segments(msghdr& header, Control& control, std::size_t size) {
  add_control(header, control, IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(size));
}

/// 0 is what goes out anyway.
void set_traffic_class(msghdr& header, Control& control, const OutgoingDatagram& datagram) {
  if (datagram.traffic_class == 0) return;
  const int value = datagram.traffic_class;
  if (datagram.to.address.is_v4()) {
    add_control(header, control, IPPROTO_IP, IP_TOS, value);
  } else {
    add_control(header, control, IPPROTO_IPV6, IPV6_TCLASS, value);
  }
}

/// What a message of many segments may fail of, and its segments one by one may not: a device that
/// makes no checksums, a path that takes none of this size.
bool is_of_segments(int error) { return error == EIO || error == EINVAL || error == EMSGSIZE; }

bool send_one(int descriptor, const OutgoingDatagram& datagram) {
  SocketAddress address;
  Control control;
  // sendmsg only reads, but its iovec is that of recvmsg, too.
  iovec vector{const_cast<std::byte*>(datagram.bytes.data()), datagram.bytes.size()};
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = to_socket_address(datagram.to, address);
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  set_traffic_class(header, control, datagram);
  return ::sendmsg(descriptor, &header, MSG_DONTWAIT) >= 0;
}

}  // namespace

std::size_t UdpSocket::send(std::span<const OutgoingDatagram> datagrams) {
  std::size_t done = 0;
  while (done < datagrams.size()) {
    const auto rest = datagrams.subspan(done);
    Family& family = of(rest.front().to.address.family());
    if (!family.socket.valid()) {
      ++counters_.unreachable;
      ++done;
      continue;
    }
    const std::size_t prepared = prepare(family, rest);
    const std::size_t sent = send_prepared(family, rest.first(prepared));
    done += sent;
    if (sent < prepared) break;
  }
  return done;
}

/// Makes messages of datagrams from the front, which are of one family; says of how many.
std::size_t UdpSocket::prepare(const Family& family, std::span<const OutgoingDatagram> datagrams) {
  Sending& out = *sending_;
  const IpAddress::Family kind = datagrams.front().to.address.family();
  out.count = 0;
  std::size_t done = 0;
  std::size_t vectors = 0;
  while (done < datagrams.size() && out.count < kBatch && vectors < kVectors &&
         datagrams[done].to.address.family() == kind) {
    const std::size_t length =
        family.segments ? run_length(datagrams.subspan(done), kVectors - vectors) : 1;
    msghdr& header = out.messages[out.count].msg_hdr;
    header = {};
    header.msg_name = &out.addresses[out.count];
    header.msg_namelen = to_socket_address(datagrams[done].to, out.addresses[out.count]);
    header.msg_iov = &out.vectors[vectors];
    header.msg_iovlen = length;
    set_traffic_class(header, out.controls[out.count], datagrams[done]);
    if (length > 1) {
      ask_for_segments(header, out.controls[out.count], datagrams[done].bytes.size());
    }
    for (const OutgoingDatagram& datagram : datagrams.subspan(done, length)) {
      // sendmsg only reads, but its iovec is that of recvmsg, too.
      out.vectors[vectors++] = {const_cast<std::byte*>(datagram.bytes.data()),
                                datagram.bytes.size()};
    }
    out.datagrams[out.count++] = length;
    done += length;
  }
  return done;
}

/// Of `datagrams`, of which the messages were made, says how many are done with.
std::size_t UdpSocket::send_prepared(Family& family, std::span<const OutgoingDatagram> datagrams) {
  Sending& out = *sending_;
  const std::size_t messages = out.count;
  std::size_t done = 0;
  for (std::size_t next = 0; next < messages;) {
    const int n = ::sendmmsg(family.socket.get(), &out.messages[next],
                             static_cast<unsigned>(messages - next), MSG_DONTWAIT);
    for (int i = 0; i < n; ++i) done += out.datagrams[next++];
    if (n > 0) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EINTR) continue;
    const std::size_t length = out.datagrams[next];  // of the first that was not sent
    if (length > 1 && is_of_segments(errno)) {
      if (errno == EIO) family.segments = false;
      send_apart(family, datagrams.subspan(done, length));
    } else if (errno == EMSGSIZE) {
      refused_as_long(family, datagrams[done]);
    } else {
      count(errno);
    }
    done += length;
    ++next;
  }
  return done;
}

void UdpSocket::send_apart(const Family& family, std::span<const OutgoingDatagram> run) {
  for (const OutgoingDatagram& datagram : run) {
    if (send_one(family.socket.get(), datagram)) continue;
    if (errno == EMSGSIZE) {
      refused_as_long(family, datagram);
    } else {
      count(errno);
    }
  }
}

/// Sends it in fragments, if it may be.
void UdpSocket::refused_as_long(const Family& family, const OutgoingDatagram& datagram) {
  constexpr std::size_t kRememberedMax = 16;
  ++counters_.too_long;
  if (!datagram.may_be_fragmented) {
    const bool known = std::ranges::find(too_long_for_, datagram.to) != too_long_for_.end();
    if (!known && too_long_for_.size() < kRememberedMax) too_long_for_.push_back(datagram.to);
    return;
  }
  const int socket = family.socket.get();
  const int kind = datagram.to.address.is_v4() ? AF_INET : AF_INET6;
  if (!forbid_fragments(socket, kind, false)) return;
  if (!send_one(socket, datagram)) count(errno);
  static_cast<void>(forbid_fragments(socket, kind, true));
}

std::vector<PathLimit> UdpSocket::take_path_limits() {
  std::vector<PathLimit> result;
  for (const Endpoint& to : std::exchange(too_long_for_, {})) {
    const std::size_t headers = to.address.is_v4() ? 28 : 48;  // IP without options, UDP
    const std::size_t mtu = path_mtu(to);
    if (mtu > headers) result.push_back({to, mtu - headers});
  }
  return result;
}

/// 0 if it cannot be had.
std::size_t UdpSocket::path_mtu(const Endpoint& to) const {
  const bool v4 = to.address.is_v4();
  const Descriptor socket(
      ::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!socket.valid()) return 0;
  if (mark_ != 0) static_cast<void>(mark_socket(socket.get(), mark_));
  SocketAddress address;
  const socklen_t length = to_socket_address(to, address);
  if (::connect(socket.get(), &address.any, length) != 0) return 0;
  int mtu = 0;
  socklen_t size = sizeof mtu;
  const int known = v4 ? ::getsockopt(socket.get(), IPPROTO_IP, IP_MTU, &mtu, &size)
                       : ::getsockopt(socket.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &size);
  return known == 0 && mtu > 0 ? static_cast<std::size_t>(mtu) : 0;
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
