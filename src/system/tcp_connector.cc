#include "system/tcp_connector.h"

#include "system/clock.h"
#include "system/socket_address.h"

#include <fmt/format.h>

#include <cerrno>
#include <list>
#include <vector>

namespace trellis::system {
namespace {

constexpr std::size_t kAddressesMax = 16;

}  // namespace

struct TcpConnector::State : std::enable_shared_from_this<TcpConnector::State> {
  struct Attempt {
    Endpoint to;
    Descriptor socket;
    DuplexWatch watch;  // last: it ends first
  };

  State(Loop& loop_of_all, const Stream::ConnectOptions& what, Callback how)
      : loop(loop_of_all), options(what), callback(std::move(how)) {}

  void begin(Result<std::vector<Endpoint>> found);
  void try_next();
  Result<> start(const Endpoint& to);
  void on_ready(Attempt& attempt);
  void give_up();
  void finish(Result<Connected> result);

  Loop& loop;
  Stream::ConnectOptions options;
  Callback callback;
  bool done = false;
  std::vector<Endpoint> addresses;
  std::size_t tried = 0;
  std::string last_error;
  std::list<Attempt> attempts;
  Timer stagger;
};

void TcpConnector::State::begin(Result<std::vector<Endpoint>> found) {
  if (!found) return finish(fail(std::move(found).error()));
  addresses = *std::move(found);
  if (addresses.size() > kAddressesMax) addresses.resize(kAddressesMax);
  auto timer = loop.timer([this] {
    const auto self = shared_from_this();
    try_next();
  });
  if (!timer) return finish(fail(std::move(timer).error()));
  stagger = *std::move(timer);
  try_next();
}

/// One more address, past those that fail at once.
void TcpConnector::State::try_next() {
  while (!done && tried < addresses.size()) {
    const Endpoint to = addresses[tried++];
    const auto started = start(to);
    if (started) return stagger.arm(boot_now() + options.stagger);
    last_error = started.error().message;
  }
  if (!done && attempts.empty()) give_up();
}

Result<> TcpConnector::State::start(const Endpoint& to) {
  const auto what = [&] { return "cannot connect to " + to.to_string(); };
  Descriptor socket(::socket(to.address.is_v4() ? AF_INET : AF_INET6,
                             SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.valid()) return fail_with_errno(what(), errno);
  if (options.mark != 0 &&
      ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &options.mark, sizeof options.mark) != 0) {
    return fail_with_errno(what() + ": firewall mark", errno);
  }
  SocketAddress address{};
  const socklen_t length = to_socket_address(to, address);
  if (::connect(socket.get(), &address.any, length) != 0 && errno != EINPROGRESS) {
    return fail_with_errno(what(), errno);
  }
  Attempt& attempt = attempts.emplace_back(Attempt{to, std::move(socket), {}});
  auto watch =
      loop.watch_both(attempt.socket.get(), [this, &attempt](Ready) { on_ready(attempt); });
  if (!watch) {
    attempts.pop_back();
    return fail(std::move(watch).error());
  }
  attempt.watch = *std::move(watch);
  attempt.watch.wait(Ready::Write);
  return {};
}

void TcpConnector::State::on_ready(Attempt& attempt) {
  const auto self = shared_from_this();
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(attempt.socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  attempt.watch.reset();
  if (error == 0) return finish(Connected{std::move(attempt.socket), attempt.to});
  last_error = fmt::format("cannot connect to {}: {}", attempt.to.to_string(), errno_text(error));
  attempts.remove_if([&](const Attempt& other) { return &other == &attempt; });
  try_next();
}

void TcpConnector::State::give_up() {
  if (addresses.size() > 1) {
    last_error += fmt::format(" (and {} more addresses of {})", addresses.size() - 1, options.host);
  }
  finish(fail_with(last_error));
}

void TcpConnector::State::finish(Result<Connected> result) {
  if (done) return;
  done = true;
  stagger.disarm();
  attempts.clear();
  const Callback function = std::move(callback);
  function(std::move(result));
}

TcpConnector::TcpConnector(Loop& loop, Resolver& resolver, const Stream::ConnectOptions& options,
                           Callback callback)
    : state_(std::make_shared<State>(loop, options, std::move(callback))) {
  resolver.resolve(options.host, options.port,
                   [weak = std::weak_ptr(state_)](Result<std::vector<Endpoint>> found) {
                     const auto state = weak.lock();
                     if (state && !state->done) state->begin(std::move(found));
                   });
}

TcpConnector::~TcpConnector() {
  state_->done = true;
  state_->attempts.clear();
  state_->stagger.disarm();
}

std::string TcpConnector::silence() const {
  if (state_->addresses.empty()) {
    return fmt::format("no name server told the address of {}", state_->options.host);
  }
  return "no answer from " + state_->addresses.front().to_string();
}

}  // namespace trellis::system
