#include "base/text_wiper.h"
#include "system/clock.h"
#include "system/descriptor.h"
#include "system/ipc.h"
#include "system/ipc_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace trellis::system {
namespace {

constexpr std::size_t kAnswerBytesMax = 64 << 20;

/// False if the deadline passed first.
bool wait_for(int descriptor, short events, TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - boot_now()).count();
    if (left <= 0) return false;
    pollfd entry{descriptor, events, 0};
    const int n = ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (n > 0) return true;
  }
}

tl::unexpected<Error> connect_error(const std::string& path, int number) {
  switch (number) {
    case ENOENT:
    case ECONNREFUSED:
      return fail_with(
          fmt::format("nobody listens on {}: trellisd does not run. Start it by `trellis up`, by "
                      "`systemctl start trellisd` or by `trellisd --static PEERS.toml`",
                      path));
    case EACCES:
    case EPERM:
      return fail_with(fmt::format(
          "{} may be used by root and by members of its group only: use sudo, or join the group "
          "(`usermod -aG trellis USER`, then log in again)",
          path));
    case EAGAIN:
      return fail_with(fmt::format("{} has too many clients; try again", path));
    default:
      return fail_with_errno("cannot connect to " + path, number);
  }
}

}  // namespace

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail_with(fmt::format("the path of a socket has 1 to {} bytes: {}",
                                 sizeof address.sun_path - 1, path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<std::string> ipc_call(const std::string& path, std::string_view request, Duration timeout) {
  const TimePoint deadline = boot_now() + timeout;
  const sockaddr_un address = TRY(unix_address(path));
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return fail_with_errno("cannot make a socket", errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return connect_error(path, errno);
  }

  std::string text;
  text.reserve(request.size() + 1);  // no copy of it stays behind: it may hold a secret
  text.append(request).push_back('\n');
  const TextWiper wiped(text);
  std::string_view rest = text;
  while (!rest.empty()) {
    if (!wait_for(socket.get(), POLLOUT, deadline)) {
      return fail_with(fmt::format("no answer from {} in time", path));
    }
    const ssize_t n = ::send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n < 0) return fail_with(fmt::format("{} hung up", path));
    rest.remove_prefix(static_cast<std::size_t>(n));
  }

  std::string answer;
  std::array<char, 16384> piece;
  while (answer.empty() || answer.back() != '\n') {
    if (!wait_for(socket.get(), POLLIN, deadline)) {
      return fail_with(fmt::format("no answer from {} in time", path));
    }
    const ssize_t n = ::recv(socket.get(), piece.data(), piece.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return fail_with(fmt::format("{} hung up without a whole answer", path));
    answer.append(piece.data(), static_cast<std::size_t>(n));
    if (answer.size() > kAnswerBytesMax) return fail_with(path + " sends without end");
  }
  answer.pop_back();
  return answer;
}

bool ipc_may_listen(const std::string& path) {
  const auto address = unix_address(path);
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!address || !socket.valid()) return true;  // the question itself will tell
  const auto* any = reinterpret_cast<const sockaddr*>(&*address);
  if (::connect(socket.get(), any, sizeof *address) == 0) return true;
  return errno != ENOENT && errno != ECONNREFUSED;
}

}  // namespace trellis::system
