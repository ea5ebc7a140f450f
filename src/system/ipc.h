#pragma once

#include "base/result.h"
#include "base/time.h"
#include "system/loop.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace trellis::system {

/// Who is at the other end of a control socket, as the kernel says. [SO_PEERCRED]
struct IpcCaller {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  bool is_root = false;
};

/// A Unix stream socket for questions and answers: a client sends one request, ended by
/// `terminator`, and is sent one answer; then it may send the next one. Bounded in every way.
class IpcServer {
 public:
  struct Options {
    std::string path{};
    std::string group = "trellis";  // may connect, too, if there is such a group; empty: none
    std::string terminator = "\n";
    std::size_t request_bytes_max = 64 << 10;
    std::size_t clients_max = 32;
    Duration idle_max = std::chrono::seconds(30);  // then a client is hung up on
  };
  /// `request` comes without its terminator. The answer is sent as it is and ended by the
  /// terminator (unless it ends so).
  using Handler = std::function<std::string(const IpcCaller& caller, std::string_view request)>;

  /// Listens, with mode 0660 root:group, or 0600 without the group; makes the folder (0755) if
  /// needed. The socket of a killed predecessor is replaced; one on which somebody listens is not,
  /// that is an error. `loop` must outlive the server.
  static Result<IpcServer> listen(Loop& loop, Options options, Handler handler);
  IpcServer(IpcServer&&) noexcept;
  IpcServer& operator=(IpcServer&&) noexcept;
  IpcServer(const IpcServer&) = delete;
  IpcServer& operator=(const IpcServer&) = delete;
  /// Hangs up on all, removes the socket.
  ~IpcServer();

 private:
  struct State;
  explicit IpcServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One question; blocks until the answer (without its end of line) is there, `timeout` at most. An
/// error says whether nobody listens, we may not ask, or no answer came.
Result<std::string> ipc_call(const std::string& path, std::string_view request, Duration timeout);

/// False if certainly nobody listens there: there is no such socket, or it is one that was left.
bool ipc_may_listen(const std::string& path);

}  // namespace trellis::system
