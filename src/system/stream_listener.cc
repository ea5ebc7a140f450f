#include "system/stream_listener.h"

#include "base/log.h"
#include "system/clock.h"
#include "system/socket_address.h"
#include "system/stream_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <unordered_map>

namespace trellis::system {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsATurn = 64;
// A handshake takes twice the memory of a connection that stands. When a thousand agents come at
// once (a restarted server), most of them wait in the backlog meanwhile, but at least kAcceptsATurn
// get in each kRest, whatever becomes of those before them.
constexpr std::size_t kCrowd = 64;
constexpr Duration kRest = 50ms;

/// Whom a limit is for: an IPv4 address, or the /64 that one host may choose addresses from.
IpAddress source_of(const Endpoint& endpoint) {
  if (endpoint.address.is_v4()) return endpoint.address;
  return Prefix(endpoint.address, 64).address();
}

tl::unexpected<Error> listen_error(const Endpoint& endpoint, int number) {
  const std::string where = endpoint.to_string();
  if (number == EADDRINUSE) {
    return fail_with(fmt::format(
        "TCP port {} is in use by another program: stop it (`ss -tlnp sport = :{}` names it), or "
        "choose another port",
        where, endpoint.port));
  }
  if (number == EACCES) {
    return fail_with(fmt::format(
        "a port below 1024 is for root or a process with CAP_NET_BIND_SERVICE: {}", where));
  }
  return fail_with_errno("cannot listen on " + where, number);
}

Result<Descriptor> listen_on(Endpoint& endpoint) {
  const int family = endpoint.address.is_v4() ? AF_INET : AF_INET6;
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.valid()) return listen_error(endpoint, errno);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  SocketAddress address{};
  socklen_t length = to_socket_address(endpoint, address);
  if (::bind(socket.get(), &address.any, length) != 0 || ::listen(socket.get(), kBacklog) != 0) {
    return listen_error(endpoint, errno);
  }
  length = sizeof address;
  if (::getsockname(socket.get(), &address.any, &length) != 0) return listen_error(endpoint, errno);
  endpoint = to_endpoint(address);
  return socket;
}

/// A reset at once: a refused connection leaves nothing behind here.
void refuse(Descriptor connection) {
  const linger at_once{1, 0};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

struct StreamListener::State : std::enable_shared_from_this<StreamListener::State> {
  struct Door {
    Endpoint endpoint;
    Descriptor socket;
    Watch watch;
  };
  struct Pending {
    std::shared_ptr<Stream::State> stream;
    TimePoint deadline;
  };
  struct Source {
    std::size_t connections = 0;
    std::size_t handshakes = 0;
  };
  /// One accepted connection, as long as it lives.
  struct Slot {
    std::weak_ptr<State> listener;
    IpAddress source;
    bool handshaking = true;
    Slot(std::weak_ptr<State> of, const IpAddress& from) : listener(std::move(of)), source(from) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() {
      const auto state = listener.lock();
      if (state) state->release(*this);
    }
  };

  State(Loop& loop_of_all, const ServerTls* server, Options what, OnAccept how)
      : loop(loop_of_all), tls(server), options(std::move(what)), on_accept(std::move(how)) {}

  Result<> open_doors();
  Result<> watch(Door& door);
  void resume();
  void accept_some(Door& door);
  void pause(int error);
  void rest();
  bool admits(const IpAddress& source) const;
  void adopt(Descriptor connection, const Endpoint& from);
  std::shared_ptr<Slot> count_in(const IpAddress& source);
  void shake_hands(Descriptor connection, const Endpoint& from, std::optional<TlsSession> session,
                   const std::shared_ptr<Slot>& slot);
  static void complain(const Error& error);
  void on_handshake(std::list<Pending>::iterator pending, Slot& slot, const Result<>& done);
  void release(Slot& slot);
  void end_handshake(Slot& slot);
  void sweep();
  void arm_sweep();

  Loop& loop;
  const ServerTls* tls;
  const Options options;
  const OnAccept on_accept;
  std::vector<Endpoint> endpoints;
  std::unordered_map<IpAddress, Source> sources;
  Counters counters;
  std::list<Pending> pending;  // in the order of their deadlines
  std::list<Door> doors;
  Timer sweep_timer;
  Timer resume_timer;
  TimePoint last_pause_told{};
  bool resting = false;
  bool live = true;
};

Result<> StreamListener::State::open_doors() {
  sweep_timer = TRY(loop.timer([this] { sweep(); }));
  resume_timer = TRY(loop.timer([this] { resume(); }));
  for (const Endpoint& wanted : options.endpoints) {
    if (!tls && !wanted.address.is_loopback()) {
      return fail_with(
          fmt::format("without TLS only a loopback address may be listened on, and {} is none",
                      wanted.to_string()));
    }
    Door& door = doors.emplace_back();
    door.endpoint = wanted;
    door.socket = TRY(listen_on(door.endpoint));
    TRY(watch(door));
    endpoints.push_back(door.endpoint);
  }
  return {};
}

Result<> StreamListener::State::watch(Door& door) {
  door.watch =
      TRY(loop.watch(door.socket.get(), Ready::Read, [this, &door] { accept_some(door); }));
  return {};
}

void StreamListener::State::resume() {
  resting = false;
  for (Door& door : doors) {
    if (door.watch.active() || watch(door)) continue;
    return resume_timer.arm(boot_now() + options.accept_pause);
  }
}

void StreamListener::State::accept_some(Door& door) {
  const auto self = shared_from_this();
  for (int i = 0; i < kAcceptsATurn && live; ++i) {
    SocketAddress address{};
    socklen_t length = sizeof address;
    Descriptor connection(
        ::accept4(door.socket.get(), &address.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection.valid()) {
      adopt(std::move(connection), to_endpoint(address));
      continue;
    }
    const bool exhausted =
        errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (exhausted) return pause(errno);
    // Nobody waits, or one has gone again before we came. [accept(2)]
    if (errno == EAGAIN) return;
  }
  if (live && counters.handshakes >= kCrowd) rest();
}

void StreamListener::State::rest() {
  resting = true;
  ++counters.rests;
  for (Door& door : doors) door.watch.reset();
  resume_timer.arm(boot_now() + kRest);
}

/// Those who wait are still there when descriptors are; trying without end would only burn a core.
void StreamListener::State::pause(int error) {
  ++counters.accept_pauses;
  const TimePoint now = boot_now();
  if (counters.accept_pauses == 1 || now - last_pause_told > 1min) {
    last_pause_told = now;
    LOG(warn, "stream", "cannot accept connections, trying again: {} connections={}",
        errno_text(error), counters.connections);
  }
  for (Door& other : doors) other.watch.reset();
  resume_timer.arm(now + options.accept_pause);
}

bool StreamListener::State::admits(const IpAddress& source) const {
  if (counters.connections >= options.connections_max) return false;
  if (counters.handshakes >= options.handshakes_max) return false;
  if (source.is_loopback()) return true;
  const auto entry = sources.find(source);
  if (entry == sources.end()) return true;
  return entry->second.connections < options.connections_per_source_max &&
         entry->second.handshakes < options.handshakes_per_source_max;
}

void StreamListener::State::adopt(Descriptor connection, const Endpoint& from) {
  const IpAddress source = from.address.is_loopback() ? from.address : source_of(from);
  if (!admits(source)) {
    ++counters.refused;
    LOG(debug, "stream", "too many connections source={}", from.to_string());
    return refuse(std::move(connection));
  }
  std::optional<TlsSession> session;
  if (tls) {
    auto made = TlsSession::server(*tls, connection.get());
    if (!made) return complain(made.error());
    session = *std::move(made);
  }
  shake_hands(std::move(connection), from, std::move(session), count_in(source));
}

std::shared_ptr<StreamListener::State::Slot> StreamListener::State::count_in(
    const IpAddress& source) {
  ++counters.connections;
  ++counters.handshakes;
  ++sources[source].connections;
  ++sources[source].handshakes;
  return std::make_shared<Slot>(weak_from_this(), source);
}

void StreamListener::State::shake_hands(Descriptor connection, const Endpoint& from,
                                        std::optional<TlsSession> session,
                                        const std::shared_ptr<Slot>& slot) {
  auto stream = std::make_shared<Stream::State>(loop, options.queue_bytes_max);
  stream->slot = slot;
  const auto entry =
      pending.insert(pending.end(), Pending{stream, boot_now() + options.handshake_timeout});
  const auto adopted = stream->adopt(
      std::move(connection), from, std::move(session),
      [this, entry, raw = slot.get()](const Result<>& done) { on_handshake(entry, *raw, done); });
  if (!adopted) return on_handshake(entry, *slot, adopted);
  if (pending.size() == 1) arm_sweep();
  stream->advance();
}

void StreamListener::State::complain(const Error& error) {
  LOG(warn, "stream", "{}", error.message);
}

void StreamListener::State::on_handshake(std::list<Pending>::iterator entry, Slot& slot,
                                         const Result<>& done) {
  const auto self = shared_from_this();
  const std::shared_ptr<Stream::State> stream = entry->stream;
  pending.erase(entry);
  end_handshake(slot);
  if (!done) {
    ++counters.failed_handshakes;
    LOG(debug, "stream", "handshake failed source={} why={}", stream->remote.to_string(),
        done.error().message);
    return stream->abandon();
  }
  ++counters.accepted;
  on_accept(Stream(stream), stream->remote);
}

void StreamListener::State::end_handshake(Slot& slot) {
  if (!std::exchange(slot.handshaking, false)) return;
  --counters.handshakes;
  --sources[slot.source].handshakes;
  if (resting && live && counters.handshakes < kCrowd / 2) resume_timer.arm(boot_now());
}

void StreamListener::State::release(Slot& slot) {
  end_handshake(slot);
  --counters.connections;
  const auto entry = sources.find(slot.source);
  if (--entry->second.connections == 0) sources.erase(entry);
}

void StreamListener::State::arm_sweep() {
  sweep_timer.arm(pending.empty() ? std::nullopt : std::optional(pending.front().deadline));
}

void StreamListener::State::sweep() {
  const TimePoint now = boot_now();
  while (!pending.empty() && pending.front().deadline <= now) {
    const std::shared_ptr<Stream::State> stream = pending.front().stream;
    pending.pop_front();
    ++counters.failed_handshakes;
    LOG(debug, "stream", "no handshake in time source={}", stream->remote.to_string());
    stream->abandon();  // gives its slot back
  }
  arm_sweep();
}

StreamListener::StreamListener(std::shared_ptr<State> state) : state_(std::move(state)) {}
StreamListener::StreamListener(StreamListener&&) noexcept = default;
StreamListener& StreamListener::operator=(StreamListener&&) noexcept = default;

StreamListener::~StreamListener() {
  if (!state_) return;
  state_->live = false;
  state_->doors.clear();
  state_->sweep_timer.disarm();
  state_->resume_timer.disarm();
  for (auto& entry : std::exchange(state_->pending, {})) entry.stream->abandon();
}

Result<StreamListener> StreamListener::listen(Loop& loop, const ServerTls* tls, Options options,
                                              OnAccept on_accept) {
  auto state = std::make_shared<State>(loop, tls, std::move(options), std::move(on_accept));
  TRY(state->open_doors());
  return StreamListener(std::move(state));
}

const std::vector<Endpoint>& StreamListener::endpoints() const { return state_->endpoints; }

StreamListener::Counters StreamListener::counters() const { return state_->counters; }

}  // namespace trellis::system
