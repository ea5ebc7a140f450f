#include "node/uplink/uplink.h"

#include "node/uplink/line.h"

namespace trellis::uplink {

const char* to_string(LineState state) {
  switch (state) {
    case LineState::Waiting:
      return "waiting";
    case LineState::Connecting:
      return "connecting";
    case LineState::LoggingIn:
      return "logging in";
    case LineState::Up:
      return "connected";
    case LineState::Refused:
      return "refused";
    case LineState::LoggedOut:
      return "logged out";
  }
  CHECK(false);
}

const char* to_string(SignalState state) {
  switch (state) {
    case SignalState::Down:
      return "down";
    case SignalState::Registering:
      return "registering";
    case SignalState::Up:
      return "connected";
  }
  CHECK(false);
}

Uplink::Uplink(TimePoint now, Identity identity, Options options, Random& random)
    : state_(std::make_unique<State>(now, std::move(identity), std::move(options), random)) {}

Uplink::~Uplink() = default;

Result<> Uplink::set_setup_key(TimePoint now, SecretBuffer text) {
  const ByteView bytes = text.expose();
  auto key = TRY(control::SetupKey::parse(
      std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())));
  state_->set_setup_key(now, std::move(key));
  return {};
}

void Uplink::connected(TimePoint now) { state_->connected(now); }

void Uplink::receive(TimePoint now, ByteView bytes) { state_->receive(now, bytes); }

void Uplink::disconnected(TimePoint now, std::string why) {
  state_->disconnected(now, printable(why));
}

ByteVector Uplink::poll_transmit() { return state_->poll_transmit(); }

void Uplink::handle_timeout(TimePoint now) { state_->handle_timeout(now); }

std::optional<TimePoint> Uplink::next_timeout() const { return state_->next_timeout(); }

std::optional<Event> Uplink::poll_event() {
  auto& events = state_->shared_.events;
  if (events.empty()) return std::nullopt;
  Event event = std::move(events.front());
  events.pop_front();
  return event;
}

void Uplink::send_signal(TimePoint now, const crypto::PublicKey& to,
                         const wire::signal::Body& body) {
  const auto session = state_->standing_session();
  state_->signal_.send(now, session ? &*session : nullptr, to, body);
}

void Uplink::set_wall_clock(WallTime now) { state_->shared_.wall = now; }

void Uplink::fetch_key(TimePoint now, const pair::KeyName& name, ByteVector have) {
  state_->fetches_.want(name, std::move(have));
  if (const auto session = state_->standing_session()) state_->fetches_.start_due(now, *session);
}

bool Uplink::is_fetching(const pair::KeyName& name) const { return state_->fetches_.wanted(name); }

void Uplink::forget_key(TimePoint now, const pair::KeyName& name) {
  const auto session = state_->standing_session();
  state_->fetches_.forget(now, session ? &*session : nullptr, name);
}

void Uplink::retry_now(TimePoint now) { state_->retry_now(now); }

void Uplink::log_out(TimePoint now) { state_->log_out(now); }

const netmap::Map* Uplink::map() const {
  const auto& map = state_->shared_.map;
  return map ? &*map : nullptr;
}

Status Uplink::status() const { return state_->status(); }

}  // namespace trellis::uplink
