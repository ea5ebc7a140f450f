#include "system/stream.h"

#include "system/clock.h"
#include "system/stream_state.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace trellis::system {
namespace {

constexpr std::size_t kPiece = 16 << 10;  // a record of TLS
constexpr int kReadsATurn = 8;            // then the others' turn
constexpr unsigned kSilenceMs = 30'000;   // without an acknowledgement the connection is dead
constexpr int kUnsentMax = 128 << 10;     // that the kernel keeps for one who does not read
constexpr const char* kHungUp = "the other end closed the connection";

void tune(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &kSilenceMs, sizeof kSilenceMs);
  ::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentMax, sizeof kUnsentMax);
}

}  // namespace

Result<> Stream::State::adopt(Descriptor connected, const Endpoint& from,
                              std::optional<TlsSession> session,
                              std::function<void(const Result<>&)> on_handshake) {
  socket = std::move(connected);
  remote = from;
  tls = std::move(session);
  handshake_done = std::move(on_handshake);
  tune(socket.get());
  watch = TRY(loop.watch_both(socket.get(), [this](Ready) {
    const auto self = shared_from_this();
    advance();
  }));
  phase = Phase::Handshaking;
  return {};
}

void Stream::State::post_advance() {
  if (std::exchange(posted, true)) return;
  loop.post([self = shared_from_this()] {
    self->posted = false;
    self->advance();
  });
}

/// Everything that may move, moves.
void Stream::State::advance() {
  if (!live()) return;
  if (!error.empty()) return finish(error);
  if (phase == Phase::Handshaking) step_handshake();
  if (phase == Phase::Open || phase == Phase::Flushing) write_queue();
  if (phase == Phase::Open) tell_writable();
  if (phase == Phase::Open) read_some();
  if (phase == Phase::Flushing && queue.empty()) hang_up();
  if (phase == Phase::Draining) discard_rest();
}

void Stream::State::step_handshake() {
  if (tls) {
    const auto step = tls->handshake();
    if (step == TlsSession::Step::WantRead) return watch.wait(Ready::Read);
    if (step == TlsSession::Step::WantWrite) return watch.wait(Ready::Write);
    if (step != TlsSession::Step::Done) {
      const auto done = std::move(handshake_done);
      return done(fail_with(tls->error()));
    }
  }
  phase = Phase::Waiting;
  const auto done = std::move(handshake_done);
  done({});
}

Stream::State::Moved Stream::State::moved(TlsSession::Step step) {
  switch (step) {
    case TlsSession::Step::Done:
      return Moved::Some;
    case TlsSession::Step::WantRead:
      watch.wait(Ready::Read);
      return Moved::Blocked;
    case TlsSession::Step::WantWrite:
      watch.wait(Ready::Write);
      return Moved::Blocked;
    case TlsSession::Step::Closed:
      error = kHungUp;
      return Moved::Ended;
    case TlsSession::Step::Failed:
      break;
  }
  error = tls->error();
  return Moved::Ended;
}

Stream::State::Moved Stream::State::read_once(MutableByteView target, std::size_t& taken) {
  if (tls) return moved(tls->read(target, taken));
  const ssize_t n = ::recv(socket.get(), target.data(), target.size(), 0);
  if (n > 0) {
    taken = static_cast<std::size_t>(n);
    return Moved::Some;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    watch.wait(Ready::Read);
    return Moved::Blocked;
  }
  error = n == 0 ? kHungUp : errno_text(errno);
  return Moved::Ended;
}

Stream::State::Moved Stream::State::write_once(ByteView bytes, std::size_t& sent) {
  if (tls) return moved(tls->write(bytes, sent));
  const ssize_t n = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n >= 0) {
    sent = static_cast<std::size_t>(n);
    return Moved::Some;
  }
  if (errno == EAGAIN || errno == EINTR) {
    watch.wait(Ready::Write);
    return Moved::Blocked;
  }
  error = errno_text(errno);
  return Moved::Ended;
}

void Stream::State::read_some() {
  std::array<std::byte, kPiece> piece;
  for (int i = 0; i < kReadsATurn && phase == Phase::Open; ++i) {
    std::size_t taken = 0;
    switch (read_once(piece, taken)) {
      case Moved::Some:
        // May close or destroy the stream.
        if (events.received) events.received(ByteView(piece).first(taken));
        break;
      case Moved::Blocked:
        // What TLS has taken in raises no event.
        if (tls && tls->holds_bytes()) post_advance();
        return;
      case Moved::Ended:
        return finish(error);
    }
  }
  if (phase != Phase::Open) return;
  if (tls && tls->holds_bytes()) post_advance();
  watch.wait(Ready::Read);
}

void Stream::State::write_queue() {
  while (queue_sent < queue.size()) {
    std::size_t sent = 0;
    const Moved result = write_once(ByteView(queue).subspan(queue_sent), sent);
    if (result == Moved::Blocked) break;
    if (result == Moved::Ended) return finish(error);
    queue_sent += sent;
  }
  if (queue_sent == queue.size()) {
    queue = ByteVector();  // an idle connection keeps no memory
    queue_sent = 0;
  } else if (queue_sent > queue_bytes_max) {
    queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(queue_sent));
    queue_sent = 0;
  }
}

void Stream::State::tell_writable() {
  if (!wants_room || queue.size() - queue_sent > queue_bytes_max / 2) return;
  wants_room = false;
  if (events.writable) events.writable();
}

bool Stream::State::send(ByteView bytes) {
  if (phase != Phase::Open || !error.empty()) return live();
  while (queue.empty() && !bytes.empty()) {
    std::size_t sent = 0;
    const Moved result = write_once(bytes, sent);
    if (result == Moved::Ended) {
      post_advance();
      return true;
    }
    if (result == Moved::Blocked) break;
    bytes = bytes.subspan(sent);
  }
  append(queue, bytes);
  wants_room = queue.size() - queue_sent >= queue_bytes_max;
  return !wants_room;
}

void Stream::State::close() {
  if (phase == Phase::Open) {
    phase = Phase::Flushing;
  } else if (phase != Phase::Flushing && phase != Phase::Draining) {
    if (error.empty()) error = "closed";
  }
  if (live()) post_advance();
}

void Stream::State::hang_up() {
  if (tls) {
    const Moved result = moved(tls->shut_down());
    if (result == Moved::Blocked) return;
    if (result == Moved::Ended) return finish(error);
  }
  ::shutdown(socket.get(), SHUT_WR);
  phase = Phase::Draining;
}

/// If we closed while something is unread the kernel would send a reset, which may overtake what we
/// have sent.
void Stream::State::discard_rest() {
  std::array<std::byte, kPiece> piece;
  for (int i = 0; i < kReadsATurn; ++i) {
    const ssize_t n = ::recv(socket.get(), piece.data(), piece.size(), 0);
    if (n == 0) return finish("closed");
    if (n < 0 && errno != EAGAIN && errno != EINTR) return finish(errno_text(errno));
    if (n < 0) break;
  }
  watch.wait(Ready::Read);
}

void Stream::State::abandon() {
  phase = Phase::Closed;
  connector.reset();
  deadline.reset();
  watch.reset();
  tls.reset();
  socket.reset();
  queue = ByteVector();
  slot.reset();
}

void Stream::State::finish(const std::string& why) {
  const auto self = shared_from_this();
  abandon();
  if (events.closed) events.closed(why);
}

// ---- the owner's side ------------------------------------------------------------------------

Stream::Stream() = default;
Stream::Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}
Stream::Stream(Stream&&) noexcept = default;

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    if (state_) state_->abandon();
    state_ = std::move(other.state_);
  }
  return *this;
}

Stream::~Stream() {
  if (state_) state_->abandon();
}

Stream Stream::connect(Loop& loop, Resolver& resolver, std::optional<ClientTls> tls,
                       const ConnectOptions& options, Events events) {
  auto state = std::make_shared<State>(loop, options.queue_bytes_max);
  State* raw = state.get();
  raw->events = std::move(events);
  auto timer = loop.timer([raw] {
    raw->finish(raw->connector ? raw->connector->silence()
                               : "no answer from " + raw->remote.to_string() + " to TLS");
  });
  if (!timer) {
    raw->error = timer.error().message;
    raw->post_advance();
    return Stream(std::move(state));
  }
  raw->deadline = std::make_unique<Timer>(*std::move(timer));
  raw->deadline->arm(boot_now() + options.timeout);
  const auto on_handshake = [raw](const Result<>& done) {
    if (!done) return raw->finish(done.error().message);
    raw->deadline.reset();
    raw->phase = State::Phase::Open;
    if (raw->events.connected) raw->events.connected();
  };
  const auto on_connected = [raw, tls = std::move(tls),
                             on_handshake](Result<TcpConnector::Connected> connected) {
    const auto self = raw->shared_from_this();
    const auto connector = std::move(raw->connector);  // which calls us
    if (!connected) return raw->finish(connected.error().message);
    std::optional<TlsSession> session;
    if (tls) {
      auto made = TlsSession::client(*tls, connected->socket.get());
      if (!made) return raw->finish(made.error().message);
      session = *std::move(made);
    }
    const auto adopted = raw->adopt(std::move(connected->socket), connected->remote,
                                    std::move(session), on_handshake);
    if (!adopted) return raw->finish(adopted.error().message);
    raw->advance();
  };
  raw->connector = std::make_unique<TcpConnector>(loop, resolver, options, on_connected);
  return Stream(std::move(state));
}

void Stream::start(Events events) {
  if (!state_ || state_->phase != State::Phase::Waiting) return;
  state_->events = std::move(events);
  state_->phase = State::Phase::Open;
  state_->post_advance();
}

bool Stream::send(ByteView bytes) { return state_ && state_->send(bytes); }

std::size_t Stream::queued_bytes() const {
  return state_ ? state_->queue.size() - state_->queue_sent : 0;
}

void Stream::close() {
  if (state_) state_->close();
}

bool Stream::open() const { return state_ && state_->phase == State::Phase::Open; }

TlsFacts Stream::tls() const { return state_ && state_->tls ? state_->tls->facts() : TlsFacts{}; }

Endpoint Stream::remote() const { return state_ ? state_->remote : Endpoint{}; }

}  // namespace trellis::system
