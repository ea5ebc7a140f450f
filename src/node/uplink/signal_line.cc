#include "node/uplink/signal_line.h"

#include "base/log.h"
#include "node/uplink/constants.h"
#include "protocol/control/key_text.h"
#include "protocol/control/method_names.h"

namespace trellis::uplink {

SignalLine::SignalLine(Shared& shared)
    : shared_(shared), back_off_({kStreamRetryFirst, kStreamRetryMax}), outbox_(shared) {}

void SignalLine::start(TimePoint now, const Session& session) {
  if (!call_ && !timers_.armed(Timer::Retry)) open(now, session);
  outbox_.pump(now, &session);  // behind the registration, so that answers find us
}

void SignalLine::line_lost(TimePoint now) {
  call_.reset();
  beat_.reset();
  timers_.disarm_all();
  back_off_.reset();
  outbox_.line_lost();
  error_.clear();
  set_state(now, SignalState::Down);
}

void SignalLine::map_changed() {
  std::erase_if(channels_, [&](const auto& entry) {
    return entry.first != shared_.own && !shared_.find_peer(entry.first);
  });
  outbox_.map_changed();
}

void SignalLine::handle_headers(TimePoint now, const Session& session, grpc::CallId call,
                                const grpc::Metadata& metadata) {
  if (call != call_) return;
  if (!grpc::find(metadata, control::kPeerRegisteredMetadata)) {
    break_off(now, session, "the server did not register this machine");
    return;
  }
  timers_.disarm(Timer::Headers);
  error_.clear();
  heard(now);
  set_state(now, SignalState::Up);
}

void SignalLine::handle_message(TimePoint now, grpc::CallId call, ByteView message) {
  if (call != call_) return;  // the empty answer to Send
  heard(now);
  const auto envelope = control::parse_signal_envelope(message);
  if (envelope && envelope->sender == shared_.own && envelope->receiver == shared_.own) return;
  if (!envelope || !hand_on(*envelope)) ++shared_.counters.signals_dropped;
}

void SignalLine::handle_end(TimePoint now, const Session& session, grpc::CallId call,
                            const grpc::Status& status) {
  if (call == call_) {
    open_later(now, describe(status));
  } else if (call == beat_) {
    beat_.reset();  // whether it came back is what counts
  } else {
    outbox_.handle_end(now, call, status);
    outbox_.pump(now, &session);
  }
}

void SignalLine::send(TimePoint now, const Session* session, const crypto::PublicKey& to,
                      const wire::signal::Body& body) {
  const control::BoxChannel* const channel = shared_.find_peer(to) ? channel_to(to) : nullptr;
  if (!channel) {
    ++shared_.counters.signals_dropped;
    return;
  }
  outbox_.add(now, to, body.type(), control::seal_signal_message(*channel, body, shared_.random));
  outbox_.pump(now, session);
}

void SignalLine::handle_timeout(TimePoint now, const Session* session) {
  outbox_.pump(now, session);
  if (!session) return;  // then no timer is armed
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::Retry:
        open(now, *session);
        break;
      case Timer::Headers:
        break_off(now, *session, "the server did not answer the registration");
        break;
      case Timer::Silence:
        beat(now, *session);
        break;
      case Timer::Heartbeat:
        break_off(now, *session, "the server did not bring our heartbeat back");
        break;
      case Timer::kCount:
        CHECK(false);
    }
  }
}

std::optional<TimePoint> SignalLine::next_timeout() const {
  return earlier(timers_.next(), outbox_.next_timeout());
}

void SignalLine::open(TimePoint now, const Session& session) {
  call_ =
      session.grpc.start(now, control::kSignalConnectStream,
                         {{std::string(control::kPeerIdMetadata), control::key_text(shared_.own)}});
  timers_.arm(Timer::Headers, now + kSignalHeadersLimit);
  set_state(now, SignalState::Registering);
}

void SignalLine::break_off(TimePoint now, const Session& session, std::string why) {
  session.grpc.cancel(now, *call_);
  open_later(now, std::move(why));
}

void SignalLine::open_later(TimePoint now, std::string why) {
  LOG(debug, "uplink", "signal stream ended reason={}", why);
  call_.reset();
  error_ = std::move(why);
  if (state_ == SignalState::Up && now - since_ >= kSettled) back_off_.reset();
  timers_.disarm_all();
  timers_.arm(Timer::Retry, now + back_off_.next(shared_.random));
  set_state(now, SignalState::Down);
}

void SignalLine::beat(TimePoint now, const Session& session) {
  wire::signal::Body body;
  body.set_type(wire::signal::Body::HEARTBEAT);
  const ByteVector sealed =
      control::seal_signal_message(*channel_to(shared_.own), body, shared_.random);
  beat_ = session.grpc.start(now, control::kSignalSend, {}, kHeartbeatLimit);
  session.grpc.send_message(*beat_, sealed);
  session.grpc.half_close(*beat_);
  timers_.arm(Timer::Heartbeat, now + kHeartbeatLimit);
}

void SignalLine::set_state(TimePoint now, SignalState state) {
  if (state_ == state) return;
  const bool was_up = state_ == SignalState::Up;
  state_ = state;
  since_ = now;
  if (state == SignalState::Up) shared_.events.emplace_back(SignalUp{});
  if (was_up) shared_.events.emplace_back(SignalDown{});
}

void SignalLine::heard(TimePoint now) {
  timers_.disarm(Timer::Heartbeat);
  timers_.arm(Timer::Silence, now + kSignalSilence);
}

const control::BoxChannel* SignalLine::channel_to(const crypto::PublicKey& peer) {
  const auto found = channels_.find(peer);
  if (found != channels_.end()) return &found->second;
  auto channel = control::BoxChannel::create(shared_.identity.wireguard, peer);
  if (!channel) return nullptr;
  return &channels_.emplace(peer, *std::move(channel)).first->second;
}

bool SignalLine::hand_on(const control::SignalEnvelope& envelope) {
  if (envelope.receiver != shared_.own || !shared_.find_peer(envelope.sender)) return false;
  const control::BoxChannel* const channel = channel_to(envelope.sender);
  if (!channel) return false;
  auto body =
      control::open_message<wire::signal::Body>(*channel, envelope.body, control::kSignalLimits);
  if (!body || body->type() == wire::signal::Body::HEARTBEAT) return false;
  // A box does not say which of its two ends made it: what we sent must not come back as a peer's.
  if (body->trellis().instance() == control::to_field(shared_.options.instance)) return false;
  ++shared_.counters.signals_received;
  shared_.events.emplace_back(Signal{envelope.sender, *std::move(body)});
  return true;
}

}  // namespace trellis::uplink
