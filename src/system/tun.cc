#include "system/tun.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace trellis::system {
namespace {

constexpr const char* kDevice = "/dev/net/tun";

tl::unexpected<Error> open_error(int number) {
  switch (number) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return fail_with(
          "/dev/net/tun is missing: load it by `modprobe tun`; a container must be given the "
          "device (docker run --device /dev/net/tun --cap-add NET_ADMIN)");
    case EACCES:
    case EPERM:
      return fail_with("/dev/net/tun may be opened by root only: run this as root");
    default:
      return fail_with_errno("cannot open /dev/net/tun", number);
  }
}

tl::unexpected<Error> create_error(std::string_view name, int number) {
  switch (number) {
    case EPERM:
      return fail_with(fmt::format(
          "making the interface {} needs root (CAP_NET_ADMIN): run this as root", name));
    case EBUSY:
    case EEXIST:
      return fail_with(fmt::format(
          "the interface {} exists and belongs to another program: stop that, or choose another "
          "name",
          name));
    case EINVAL:
      return fail_with(fmt::format(
          "an interface {} of another kind exists: `ip link delete {}` removes it; or choose "
          "another name",
          name, name));
    default:
      return fail_with_errno(fmt::format("cannot make the interface {}", name), number);
  }
}

// <linux/if_tun.h> of Linux 6.2
constexpr unsigned kUdpV4Segments = 0x20;
constexpr unsigned kUdpV6Segments = 0x40;

/// Packets that wait for us: with the 500 that are usual, bursts are lost.
constexpr int kQueuedPacketsMax = 1000;

void set_queue_length(const std::string& name) {
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_qlen = kQueuedPacketsMax;
  // Without it we are as others are.
  static_cast<void>(::ioctl(socket.get(), SIOCSIFTXQLEN, &request));
}

bool means_gone(int number) { return number == EBADFD || number == ENODEV || number == ENXIO; }

}  // namespace

Result<> check_interface_name(std::string_view name) {
  const bool known_characters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  if (name.empty() || name.size() >= IFNAMSIZ || !known_characters || name == "." || name == "..") {
    return fail_with(fmt::format(
        "\"{}\" is no name of an interface: use 1 to {} letters, digits, '-', '_' or '.'", name,
        IFNAMSIZ - 1));
  }
  return {};
}

Result<Tun> Tun::create(std::string_view name, Offloads offloads) {
  TRY(check_interface_name(name));
  Descriptor device(::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!device.valid()) return open_error(errno);
  unsigned features = 0;
  const bool has_header = offloads == Offloads::AllThatTheKernelHas &&
                          ::ioctl(device.get(), TUNGETFEATURES, &features) == 0 &&
                          (features & IFF_VNET_HDR) != 0;
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (has_header) request.ifr_flags |= IFF_VNET_HDR;
  // EXCL: never take over an interface that somebody made persistent.
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_TUN_EXCL);
  if (::ioctl(device.get(), TUNSETIFF, &request) != 0) return create_error(name, errno);
  Tun tun(std::move(device), std::string(name));
  tun.has_offload_header_ = has_header;
  if (has_header) tun.ask_for_offloads();
  set_queue_length(tun.name_);
  return tun;
}

void Tun::ask_for_offloads() {
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  tcp_segments_ = udp_segments_ =
      ::ioctl(descriptor_.get(), TUNSETOFFLOAD, kTcp | kUdpV4Segments | kUdpV6Segments) == 0;
  if (!tcp_segments_) tcp_segments_ = ::ioctl(descriptor_.get(), TUNSETOFFLOAD, kTcp) == 0;
}

Expected<std::optional<TunPacket>, TunError> Tun::read(MutableByteView buffer) {
  while (true) {
    ip::OffloadHeader header;
    std::array<iovec, 2> vectors{
        {{&header, sizeof header}, {static_cast<void*>(buffer.data()), buffer.size()}}};
    const ssize_t n = has_offload_header_
                          ? ::readv(descriptor_.get(), vectors.data(), vectors.size())
                          : ::read(descriptor_.get(), buffer.data(), buffer.size());
    if (n > 0) {
      const auto size = static_cast<std::size_t>(n) - (has_offload_header_ ? sizeof header : 0);
      const auto offload = header.offload();
      if (offload) return TunPacket{*offload, buffer.first(size)};
      ++dropped_;
    } else if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK) {
      return std::nullopt;
    } else if (errno != EINTR) {
      return fail(means_gone(errno) ? TunError::Gone : TunError::Failed);
    }
  }
}

Expected<void, TunError> Tun::write(ByteView packet) { return write({}, std::span(&packet, 1)); }

Expected<void, TunError> Tun::write(const ip::Offload& offload, std::span<const ByteView> parts) {
  CHECK(parts.size() <= kPartsMax);
  auto header = ip::OffloadHeader::of(offload);
  std::array<iovec, kPartsMax + 1> vectors;
  std::size_t count = 0;
  if (has_offload_header_) vectors[count++] = {&header, sizeof header};
  for (const ByteView part : parts) {
    // writev only reads, but its iovec is that of readv, too.
    vectors[count++] = {const_cast<std::byte*>(part.data()), part.size()};
  }
  while (true) {
    if (::writev(descriptor_.get(), vectors.data(), static_cast<int>(count)) >= 0) return {};
    if (errno == EINTR) continue;
    if (means_gone(errno)) return fail(TunError::Gone);
    ++dropped_;
    return fail(TunError::Failed);
  }
}

}  // namespace trellis::system
