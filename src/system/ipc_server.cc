#include "system/clock.h"
#include "system/descriptor.h"
#include "system/ipc.h"
#include "system/ipc_socket.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <vector>

namespace trellis::system {
namespace {

constexpr std::size_t kPiece = 16384;

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

}  // namespace

/// Everything about a server, at an address that callbacks can keep.
struct IpcServer::State {
  struct Client {
    Descriptor socket;
    IpcCaller caller;
    std::string request;      // what has come of it
    std::string answer;       // what has still to go
    TimePoint last_activity;  // a byte moved
    bool dead = false;
    Ready waits_for = Ready::Read;  // for writing while there is an answer
    Watch watch;
  };

  State(Loop& loop_of_all, Options what, Handler how)
      : loop(loop_of_all), options(std::move(what)), handler(std::move(how)) {}

  ~State() {
    clients.clear();
    accepting.reset();
    if (socket.valid()) ::unlink(options.path.c_str());
  }

  void accept_all();
  void sweep();
  void bury();
  void read_from(Client& client);
  void proceed(Client& client);
  bool write_to(Client& client);
  void watch_client(Client& client, Ready ready);

  Loop& loop;
  Options options;
  Handler handler;
  Descriptor socket;
  std::list<Client> clients;
  Timer idle_timer;
  Watch accepting;
};

void IpcServer::State::accept_all() {
  while (true) {
    Descriptor connection(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) break;
    if (clients.size() >= options.clients_max) continue;  // closes it
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) continue;
    Client& client = clients.emplace_back();
    client.socket = std::move(connection);
    client.caller = IpcCaller{peer.uid, peer.gid, peer.pid, peer.uid == 0};
    client.last_activity = boot_now();
    watch_client(client, Ready::Read);
  }
  sweep();
}

void IpcServer::State::sweep() {
  const TimePoint now = boot_now();
  std::optional<TimePoint> next;
  for (Client& client : clients) {
    const TimePoint end = client.last_activity + options.idle_max;
    if (end <= now) {
      client.dead = true;
    } else {
      next = earlier(next, end);
    }
  }
  bury();
  idle_timer.arm(next);
}

void IpcServer::State::bury() {
  clients.remove_if([](const Client& client) { return client.dead; });
}

void IpcServer::State::watch_client(Client& client, Ready ready) {
  if (client.watch.active() && client.waits_for == ready) return;
  client.watch.reset();
  client.waits_for = ready;
  auto watch = loop.watch(client.socket.get(), ready, [this, &client] {
    if (client.waits_for == Ready::Read) read_from(client);
    if (!client.dead) proceed(client);
    if (client.dead) bury();  // and this function with it: nothing may follow
  });
  if (!watch) {
    client.dead = true;
    return;
  }
  client.watch = *std::move(watch);
}

void IpcServer::State::read_from(Client& client) {
  std::array<char, kPiece> piece;
  const ssize_t n = ::recv(client.socket.get(), piece.data(), piece.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    client.dead = true;
    return;
  }
  client.last_activity = boot_now();
  client.request.append(piece.data(), static_cast<std::size_t>(n));
}

void IpcServer::State::proceed(Client& client) {
  while (!client.dead) {
    if (!client.answer.empty()) {
      if (!write_to(client)) return;
      continue;
    }
    const std::size_t end = client.request.find(options.terminator);
    // Nothing that is so long is a question of ours.
    if (std::min(end, client.request.size()) > options.request_bytes_max) {
      client.dead = true;
      return;
    }
    if (end == std::string::npos) return watch_client(client, Ready::Read);
    client.answer = handler(client.caller, std::string_view(client.request).substr(0, end));
    client.request.erase(0, end + options.terminator.size());
    if (!client.answer.ends_with(options.terminator)) client.answer += options.terminator;
  }
}

/// False if the client has to take what is there first, or is dead.
bool IpcServer::State::write_to(Client& client) {
  const ssize_t n =
      ::send(client.socket.get(), client.answer.data(), client.answer.size(), MSG_NOSIGNAL);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) {
    watch_client(client, Ready::Write);
    return false;
  }
  if (n < 0) {
    client.dead = true;
    return false;
  }
  client.last_activity = boot_now();
  client.answer.erase(0, static_cast<std::size_t>(n));
  return true;
}

IpcServer::IpcServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
IpcServer::IpcServer(IpcServer&&) noexcept = default;
IpcServer& IpcServer::operator=(IpcServer&&) noexcept = default;
IpcServer::~IpcServer() = default;

Result<IpcServer> IpcServer::listen(Loop& loop, Options options, Handler handler) {
  auto state = std::make_unique<State>(loop, std::move(options), std::move(handler));
  state->socket = TRY(listen_on(state->options));
  State* raw = state.get();
  raw->idle_timer = TRY(loop.timer([raw] { raw->sweep(); }));
  raw->accepting = TRY(loop.watch(raw->socket.get(), Ready::Read, [raw] { raw->accept_all(); }));
  return IpcServer(std::move(state));
}

}  // namespace trellis::system
