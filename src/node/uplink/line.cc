#include "node/uplink/line.h"

#include "base/log.h"
#include "node/uplink/constants.h"

namespace trellis::uplink {

namespace {

std::string lost_in(LineState state, const std::string& why) {
  if (state == LineState::Connecting) return "the server cannot be reached: " + why;
  return "the connection to the server was lost: " + why;
}

}  // namespace

Uplink::State::State(TimePoint now, Identity identity, Options options, Random& random)
    : shared_(std::move(identity), std::move(options), random),
      sync_(shared_),
      signal_(shared_),
      upload_(shared_),
      fetches_(shared_),
      since_(now),
      setup_key_first_(shared_.options.never_joined),
      was_member_(!shared_.options.never_joined && shared_.map.has_value()),
      back_off_({kReconnectFirst, kReconnectMax}) {
  timers_.arm(Timer::Connect, now);
}

Session Uplink::State::session() {
  CHECK(grpc_ && server_);
  return {*grpc_, *server_, nonce_};
}

std::optional<Session> Uplink::State::standing_session() {
  if (!up()) return std::nullopt;
  return session();
}

void Uplink::State::set_setup_key(TimePoint now, control::SetupKey key) {
  if (up()) return;  // we are known
  setup_key_ = std::move(key);
  if (line_ == LineState::Refused) retry_now(now);
}

void Uplink::State::connected(TimePoint now) {
  if (line_ != LineState::Connecting) return;
  timers_.disarm(Timer::GiveUp);
  grpc_.emplace(now, grpc::ClientOptions{.authority = shared_.options.authority,
                                         .user_agent = std::string(control::kAgentVersion),
                                         .message_bytes_max = kMessageBytesMax,
                                         .received_bytes_max = 2 * kMessageBytesMax});
  set_line(now, LineState::LoggingIn);
  hello_.start(now, *grpc_, control::kGetServerKey, {}, kServerKeyLimit);
}

void Uplink::State::receive(TimePoint now, ByteView bytes) {
  if (!grpc_) return;
  last_heard_ = now;
  timers_.disarm(Timer::Probe);
  grpc_->receive(now, bytes);
  drain(now);
}

void Uplink::State::disconnected(TimePoint now, const std::string& why) {
  if (!transport_) return;
  transport_ = false;
  lose_line(now, lost_in(line_, why));
}

ByteVector Uplink::State::poll_transmit() {
  if (!grpc_) return {};
  if (up()) upload_.pump(session());
  return grpc_->poll_transmit();
}

void Uplink::State::handle_timeout(TimePoint now) {
  if (grpc_) {
    grpc_->handle_timeout(now);
    drain(now);
  }
  run_timers(now);
  if (!up()) {
    signal_.handle_timeout(now, nullptr);
    return;
  }
  const Session standing = session();
  sync_.handle_timeout(now, standing);
  signal_.handle_timeout(now, &standing);
  fetches_.start_due(now, standing);
  if (upload_.pop_login_wanted(now) && !login_.running()) log_in(now, /*with_setup_key=*/false);
}

std::optional<TimePoint> Uplink::State::next_timeout() const {
  std::optional<TimePoint> next = earlier(timers_.next(), signal_.next_timeout());
  if (grpc_) next = earlier(next, grpc_->next_timeout());
  if (!up()) return next;
  next = earlier(next, sync_.next_timeout());
  next = earlier(next, upload_.next_timeout());
  return earlier(next, fetches_.next_timeout());
}

void Uplink::State::retry_now(TimePoint now) {
  back_off_.reset();
  switch (line_) {
    case LineState::Waiting:
    case LineState::Refused:
      connect(now);
      break;
    case LineState::Connecting:
      take_down(now);
      connect(now);
      break;
    case LineState::LoggingIn:
    case LineState::Up:
      if (timers_.armed(Timer::Probe)) break;
      grpc_->ping(now, 0);
      timers_.arm(Timer::Probe, now + kProbeLimit);
      break;
    case LineState::LoggedOut:
      break;
  }
}

void Uplink::State::log_out(TimePoint now) {
  if (logging_out_) return;
  logging_out_ = true;
  timers_.arm(Timer::LogOut, now + kLogoutLimit);
  if (up()) {
    ask_log_out(now);
  } else if (line_ == LineState::Waiting || line_ == LineState::Refused) {
    connect(now);
  }
}

Status Uplink::State::status() const {
  return {.server = line_,
          .server_since = since_,
          .server_error = error_,
          .next_try = timers_.deadline(Timer::Connect),
          .last_heard = last_heard_,
          .signal = signal_.state(),
          .signal_since = signal_.since(),
          .signal_error = signal_.error(),
          .serial = shared_.map ? shared_.map->serial : 0,
          .synced = sync_.synced(),
          .map_error = sync_.error(),
          .upload = upload_.status(),
          .fetches = fetches_.status(),
          .counters = shared_.counters};
}

void Uplink::State::set_line(TimePoint now, LineState state) {
  if (line_ == state) return;
  LOG(debug, "uplink", "line changes from={} to={}", to_string(line_), to_string(state));
  line_ = state;
  since_ = now;
}

void Uplink::State::connect(TimePoint now) {
  timers_.disarm(Timer::Connect);
  timers_.arm(Timer::GiveUp, now + kConnectLimit);
  ++shared_.counters.connects;
  transport_ = true;
  set_line(now, LineState::Connecting);
  shared_.events.emplace_back(Connect{});
}

/// Drops the connection, and what lived on it.
void Uplink::State::take_down(TimePoint now) {
  if (transport_) shared_.events.emplace_back(Disconnect{});
  transport_ = false;
  hello_.drop();
  login_.drop();
  log_out_.drop();
  sync_.line_lost();
  signal_.line_lost(now);
  upload_.line_lost();
  fetches_.line_lost();
  grpc_.reset();
  server_.reset();
  timers_.disarm(Timer::GiveUp);
  timers_.disarm(Timer::Settled);
  timers_.disarm(Timer::Probe);
}

void Uplink::State::lose_line(TimePoint now, std::string why) {
  take_down(now);
  error_ = std::move(why);
  set_line(now, LineState::Waiting);
  timers_.arm(Timer::Connect, now + back_off_.next(shared_.random));
}

void Uplink::State::refuse(TimePoint now, Verdict verdict) {
  if (verdict.setup_key_spent) setup_key_.reset();
  if (logging_out_) {
    const bool unknown = verdict.reason == Refusal::NotMember || verdict.reason == Refusal::Removed;
    finish_log_out(now, unknown ? std::nullopt : std::optional(verdict.message));
    return;
  }
  take_down(now);
  error_ = verdict.message;
  set_line(now, LineState::Refused);
  if (!verdict.permanent) {
    BackOff pause({verdict.reason == Refusal::Removed ? kRemovedRetry : kConflictRetry, 1h});
    timers_.arm(Timer::Connect, now + pause.next(shared_.random));
  }
  if (verdict.message == last_refusal_) return;
  last_refusal_ = verdict.message;
  shared_.events.emplace_back(
      Refused{verdict.reason, std::move(verdict.message), verdict.permanent});
}

void Uplink::State::finish_log_out(TimePoint now, std::optional<std::string> error) {
  take_down(now);
  timers_.disarm_all();
  setup_key_.reset();
  error_ = error.value_or("");
  set_line(now, LineState::LoggedOut);
  shared_.events.emplace_back(LoggedOut{std::move(error)});
}

void Uplink::State::run_timers(TimePoint now) {
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::Connect:
        connect(now);
        break;
      case Timer::GiveUp:
        lose_line(now, "the server cannot be reached: no answer");
        break;
      case Timer::Settled:
        back_off_.reset();
        break;
      case Timer::Probe:
        lose_line(now, "the server did not answer after the network changed");
        break;
      case Timer::LogOut:
        finish_log_out(now, "the server could not be told that this machine leaves the network: " +
                                (error_.empty() ? std::string("no answer") : error_));
        break;
      case Timer::kCount:
        CHECK(false);
    }
  }
}

}  // namespace trellis::uplink
