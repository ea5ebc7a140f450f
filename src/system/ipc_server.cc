#include "base/text_wiper.h"
#include "system/answering_clients.h"
#include "system/descriptor.h"
#include "system/ipc.h"
#include "system/ipc_socket.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace trellis::system {
namespace {

std::optional<gid_t> group_id(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::vector<char> memory(16384);
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found) != 0) {
    return std::nullopt;
  }
  return found == nullptr ? std::nullopt : std::optional(found->gr_gid);
}

/// Removes the socket that a killed process left. Fails if somebody listens, or if it is no socket.
Result<> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return fail_with(fmt::format("{} exists and is no socket: remove it, or name another", path));
  }
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return fail_with_errno("cannot make a socket", errno);
  const int result =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (result == 0 || errno != ECONNREFUSED) {
    return fail_with(fmt::format(
        "another process listens on {}: stop it first (`ss -xlp src {}` names it)", path, path));
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail_with_errno("cannot remove the old socket " + path, errno);
  }
  return {};
}

Result<Descriptor> listen_on(const IpcServer::Options& options) {
  const std::string& path = options.path;
  const sockaddr_un address = TRY(unix_address(path));
  if (const std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
    const std::string folder = path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0755) == 0) {
      static_cast<void>(::chmod(folder.c_str(), 0755));  // whatever the umask is
    } else if (errno != EEXIST) {
      return fail_with_errno("cannot make the folder " + folder, errno);
    }
  }
  TRY(remove_stale(path, address));
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return fail_with_errno("cannot make a socket", errno);
  // Nobody connects before listen(), so there is no moment at which a wrong mode matters.
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EACCES || errno == EPERM) {
      return fail_with(fmt::format("cannot make the socket {}: run this as root", path));
    }
    return fail_with_errno("cannot make the socket " + path, errno);
  }
  const auto group = group_id(options.group);
  const bool shared = group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) == 0;
  if (::chmod(path.c_str(), shared ? 0660 : 0600) != 0 || ::listen(socket.get(), 16) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return fail_with_errno("cannot listen on " + path, error);
  }
  return socket;
}

/// What one client has asked so far. A request may hold a setup key, so no copy of it stays.
class IpcConversation final : public Conversation {
 public:
  IpcConversation(const IpcCaller& caller, const IpcServer::Options& options,
                  IpcServer::Handler& handler)
      : caller_(caller), options_(options), handler_(handler) {}
  ~IpcConversation() override { zeroise(asked_); }

  void receive(ByteView bytes) override {
    ByteVector both;
    both.reserve(asked_.size() + bytes.size());
    both.insert(both.end(), asked_.begin(), asked_.end());
    both.insert(both.end(), bytes.begin(), bytes.end());
    zeroise(asked_);
    asked_ = std::move(both);
  }

  std::optional<ByteVector> answer_next() override {
    const std::size_t end = text().find(options_.terminator);
    if (end == std::string_view::npos || failed()) return std::nullopt;
    std::string answer = handler_(caller_, text().substr(0, end));
    if (!answer.ends_with(options_.terminator)) answer += options_.terminator;
    const TextWiper wiper(answer);
    drop(end + options_.terminator.size());
    return to_vector(as_bytes(answer));
  }

  /// Nothing that is so long is a question of ours.
  bool failed() const override {
    return std::min(text().find(options_.terminator), asked_.size()) > options_.request_bytes_max;
  }

 private:
  std::string_view text() const {
    return {reinterpret_cast<const char*>(asked_.data()), asked_.size()};
  }

  void drop(std::size_t size) {
    std::copy(asked_.begin() + static_cast<std::ptrdiff_t>(size), asked_.end(), asked_.begin());
    zeroise(MutableByteView(asked_).last(size));
    asked_.resize(asked_.size() - size);
  }

  IpcCaller caller_;
  const IpcServer::Options& options_;
  IpcServer::Handler& handler_;
  ByteVector asked_;
};

}  // namespace

/// Everything about a server, at an address that callbacks can keep.
struct IpcServer::State {
  State(Loop& loop_of_all, Options what, Handler how)
      : loop(loop_of_all), options(std::move(what)), handler(std::move(how)) {}

  ~State() {
    clients.reset();
    accepting.reset();
    if (socket.valid()) ::unlink(options.path.c_str());
  }

  void accept_all();

  Loop& loop;
  Options options;
  Handler handler;
  Descriptor socket;
  std::unique_ptr<AnsweringClients> clients;
  Watch accepting;
};

void IpcServer::State::accept_all() {
  while (true) {
    Descriptor connection(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) break;
    if (clients->size() >= options.clients_max) continue;  // closes it
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) continue;
    const IpcCaller caller{peer.uid, peer.gid, peer.pid, peer.uid == 0};
    clients->add(std::move(connection),
                 std::make_unique<IpcConversation>(caller, options, handler));
  }
}

IpcServer::IpcServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
IpcServer::IpcServer(IpcServer&&) noexcept = default;
IpcServer& IpcServer::operator=(IpcServer&&) noexcept = default;
IpcServer::~IpcServer() = default;

Result<IpcServer> IpcServer::listen(Loop& loop, Options options, Handler handler) {
  auto state = std::make_unique<State>(loop, std::move(options), std::move(handler));
  state->socket = TRY(listen_on(state->options));
  State* raw = state.get();
  raw->clients = TRY(AnsweringClients::create(loop, raw->options.idle_max));
  raw->accepting = TRY(loop.watch(raw->socket.get(), Ready::Read, [raw] { raw->accept_all(); }));
  return IpcServer(std::move(state));
}

}  // namespace trellis::system
