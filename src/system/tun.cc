#include "system/tun.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
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

Result<Tun> Tun::create(std::string_view name) {
  TRY(check_interface_name(name));
  Descriptor device(::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!device.valid()) return open_error(errno);
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  // EXCL: never take over an interface that somebody made persistent.
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_TUN_EXCL);
  if (::ioctl(device.get(), TUNSETIFF, &request) != 0) return create_error(name, errno);
  return Tun(std::move(device), std::string(name));
}

Expected<bool, TunError> Tun::read(PacketBatch& batch, std::vector<MutableByteView>& packets) {
  packets.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const MutableByteView slot = batch.slot(i);
    const ssize_t n = ::read(descriptor_.get(), slot.data(), slot.size());
    if (n > 0) {
      packets.push_back(slot.first(static_cast<std::size_t>(n)));
    } else if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK) {
      return false;
    } else if (errno == EINTR) {
      return true;
    } else {
      if (means_gone(errno)) return fail(TunError::Gone);
      // What was read before the error is worth more than the error, which will come again.
      if (packets.empty()) return fail(TunError::Failed);
      return true;
    }
  }
  return true;
}

Expected<void, TunError> Tun::write(ByteView packet) {
  while (true) {
    if (::write(descriptor_.get(), packet.data(), packet.size()) >= 0) return {};
    if (errno == EINTR) continue;
    if (means_gone(errno)) return fail(TunError::Gone);
    ++dropped_;
    return fail(TunError::Failed);
  }
}

}  // namespace trellis::system
