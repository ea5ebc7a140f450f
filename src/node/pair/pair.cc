#include "node/pair/pair.h"

#include "base/log.h"
#include "node/pair/preshared_key.h"

#include <fmt/chrono.h>

#include <algorithm>

namespace trellis::pair {
namespace {

constexpr std::size_t kRecordsMax = 8;
constexpr Duration kAwaitSession = 1s;
constexpr Duration kCheckPathEvery = 2s;
constexpr Duration kPathSilentAfter = 3s;
/// A handshake unanswered so often starts an exchange, whichever key it would use.
constexpr unsigned kAttemptsBeforeExchange = 3;

/// The device's name for a key. Zero is the key of plain WireGuard, so ours begin at one.
constexpr wireguard::KeyId kPlainKey{0};
wireguard::KeyId device_key(KeyNumber number) {
  return wireguard::KeyId{static_cast<std::uint64_t>(number) + 1};
}
KeyNumber number_of(wireguard::KeyId id) { return KeyNumber{static_cast<std::uint64_t>(id) - 1}; }
KeyNumber number_of(rosenpass::ExchangeId exchange) {
  return KeyNumber{static_cast<std::uint64_t>(exchange)};
}
rosenpass::ExchangeId exchange_of(KeyNumber number) {
  return rosenpass::ExchangeId{static_cast<std::uint64_t>(number)};
}

long long seconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

Pair::Pair(TimePoint now, Engines engines, const crypto::PublicKey& own_key, PeerConfig config,
           Mode mode, std::string refusal)
    : engines_(engines),
      own_key_(own_key),
      config_(std::move(config)),
      mode_(mode),
      refusal_(std::move(refusal)) {
  link_.set_configured(config_.endpoints);
  if (!refusal_.empty()) return;

  const auto peer_id = engines_.wireguard.add_peer(config_.wireguard_key);
  CHECK(peer_id.has_value());  // the caller has seen to it that keys are not listed twice
  wireguard_id_ = *peer_id;
  engines_.wireguard.set_allowed_ips(*wireguard_id_, config_.addresses);
  engines_.wireguard.set_persistent_keepalive(now, *wireguard_id_, config_.keepalive);
  join_exchange(now);
  publish_path(now);
  publish_keys(now);
  timers_.arm(Timer::CheckPath, now + kCheckPathEvery);
}

Pair::~Pair() {
  if (rosenpass_id_) engines_.rosenpass.remove_peer(*rosenpass_id_);
  if (wireguard_id_) engines_.wireguard.remove_peer(*wireguard_id_);
}

bool Pair::session_is_current(TimePoint now) const {
  if (!wireguard_id_ || !keys_.current()) return false;
  const auto session = engines_.wireguard.session(now, *wireguard_id_);
  return session && session->key == device_key(keys_.current()->number);
}

/// Takes part in exchanges, once the peer's public key is here.
void Pair::join_exchange(TimePoint now) {
  if (config_.rosenpass_key.empty()) return;
  rosenpass::PeerConfig peer;
  peer.public_key = config_.rosenpass_key;
  peer.path = path();
  peer.digests = config_.digests;
  const auto added = engines_.rosenpass.add_peer(now, std::move(peer));
  if (!added) return refuse_key(added.error());
  rosenpass_id_ = *added;
  key_error_.clear();
  key_wanted_ = false;
}

/// Others made the list that names it: it is no bug of ours. There is no exchange then, so no key,
/// and no packet passes.
void Pair::refuse_key(rosenpass::NodeError error) {
  std::string why;
  switch (error) {
    case rosenpass::NodeError::WrongPublicKeySize:
    case rosenpass::NodeError::WrongSecretKeySize:
    case rosenpass::NodeError::WrongSuite:
      why = "its Rosenpass key is of another kind than ours";
      break;
    case rosenpass::NodeError::OwnKey:
      why = "refused: its Rosenpass key is our own";
      break;
    case rosenpass::NodeError::AlreadyKnown:
      why = "refused: another peer is listed with the same Rosenpass key";
      break;
  }
  if (why != key_error_) LOG(warn, "pair", "peer {}: {}", config_.name, why);
  key_error_ = std::move(why);
}

/// A key that is announced and not here yet makes nobody plain.
bool Pair::plain() const {
  return refusal_.empty() && !config_.key_name && mode_ == Mode::Permissive;
}

// ---- exchanges -------------------------------------------------------------------------------

KeySlots::Slot Pair::slot_for(rosenpass::ExchangeId exchange, const rosenpass::OutputKey& osk,
                              TimePoint age_from) {
  const KeyNumber number = number_of(exchange);
  records_.push_back({number, age_from});
  if (records_.size() > kRecordsMax) records_.erase(records_.begin());
  return {number, bind_to_identities(osk.expose(), own_key_, config_.wireguard_key), age_from};
}

void Pair::handle(TimePoint now, const rosenpass::Pending& event) {
  keys_.hold(slot_for(event.exchange, event.osk, event.age_from));
  publish_keys(now);
}

void Pair::handle(TimePoint now, const rosenpass::Proven& event) {
  const KeyNumber number = number_of(event.exchange);
  if (!keys_.prove(number)) return;
  ++completions_;
  // Without a usable session a running handshake is cancelled: it may wait for an answer under a
  // key that the peer no longer has. [pair rule 1] That comes first: with the key, packets that
  // wait begin a handshake, and of two at once the peer would take one and we await the other.
  if (!engines_.wireguard.has_usable_session(now, *wireguard_id_)) {
    engines_.wireguard.start_handshake(now, *wireguard_id_, wireguard::Running::Cancel);
  }
  publish_keys(now);
  engines_.wireguard.start_handshake(now, *wireguard_id_, wireguard::Running::Keep);
  LOG(debug, "pair", "key proven peer={} keys={}", config_.name, completions_);
}

void Pair::handle(TimePoint now, const rosenpass::Accepted& event) {
  keys_.accept(slot_for(event.exchange, event.osk, event.age_from));
  ++completions_;
  follow(now, event.from);
  publish_keys(now);
  LOG(debug, "pair", "key accepted peer={} keys={}", config_.name, completions_);
  timers_.arm(Timer::AwaitSession, now + kAwaitSession);
}

void Pair::handle(TimePoint now, const rosenpass::Released& event) {
  keys_.release(number_of(event.exchange));
  publish_keys(now);
}

void Pair::handle(TimePoint now, const rosenpass::Expired&) {
  LOG(info, "pair", "the key expired and could not be renewed peer={}", config_.name);
  keys_.expire(now);
  publish_keys(now);
}

// ---- the tunnel ------------------------------------------------------------------------------

void Pair::handle(TimePoint now, const wireguard::SessionEstablished& event) {
  if (!rosenpass_id_) return;
  engines_.rosenpass.note_path_answers(now, *rosenpass_id_);
  if (event.role != wireguard::Role::Initiator || event.key == kPlainKey) return;
  const KeyNumber number = number_of(event.key);
  if (!keys_.pending() || keys_.pending()->number != number) return;
  // The response opened under the pending key: as good as EmptyData. [pair rule 1]
  keys_.prove(number);
  ++completions_;
  publish_keys(now);
  engines_.rosenpass.confirm(now, *rosenpass_id_, exchange_of(number));
}

void Pair::handle(TimePoint now, const wireguard::InitiationAccepted&) {
  // Fresh and authentic: the peer is there. The session counts once data came under it.
  if (rosenpass_id_) engines_.rosenpass.note_path_answers(now, *rosenpass_id_);
}

void Pair::handle(TimePoint now, const wireguard::HandshakeUnanswered& event) {
  if (link_.configured().size() > 1) try_next_address(now);
  if (!rosenpass_id_) return;
  // The peer may have restarted and lost the key that we believe to share. [pair rule 7]
  if (session_is_current(now) || event.attempt >= kAttemptsBeforeExchange) {
    engines_.rosenpass.start_exchange(now, *rosenpass_id_);
  }
}

void Pair::handle(TimePoint now, const wireguard::KeyNeeded&) {
  if (rosenpass_id_) {
    engines_.rosenpass.start_exchange(now, *rosenpass_id_);
  } else {
    key_wanted_ = config_.key_name.has_value();
  }
}

void Pair::handle(TimePoint now, const wireguard::Moved& event) { follow(now, event.endpoint); }

/// The peer authenticated a fresh message that came from there.
void Pair::follow(TimePoint now, const Endpoint& from) {
  if (config_.path_source == PathSource::Owner || !link_.authenticated(from)) return;
  LOG(info, "pair", "the peer moved peer={} endpoint={}", config_.name, from.to_string());
  publish_path(now);
}

bool Pair::try_next_address(TimePoint now) {
  if (config_.path_source == PathSource::Owner || !link_.unanswered()) return false;
  publish_path(now);
  return true;
}

const std::optional<Endpoint>& Pair::path() const {
  return config_.path_source == PathSource::Owner ? owners_path_ : link_.path();
}

void Pair::set_path(TimePoint now, std::optional<Endpoint> path) {
  CHECK(config_.path_source == PathSource::Owner);
  if (owners_path_ == path) return;
  owners_path_ = path;
  publish_path(now);
}

// ---- time and path ---------------------------------------------------------------------------

void Pair::handle_timeout(TimePoint now) {
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::ExpireKeys:
        keys_.expire(now);
        publish_keys(now);
        break;
      case Timer::AwaitSession:
        if (!session_is_current(now)) {
          engines_.wireguard.start_handshake(now, *wireguard_id_, wireguard::Running::Keep);
        }
        break;
      case Timer::CheckPath:
        check_path(now);
        timers_.arm(Timer::CheckPath, now + kCheckPathEvery);
        break;
      case Timer::kCount:
        CHECK(false);
    }
  }
}

void Pair::check_path(TimePoint now) {
  const std::uint64_t received = engines_.wireguard.info(*wireguard_id_).received_bytes;
  const bool heard = received != received_before_;
  received_before_ = received;
  if (!rosenpass_id_) return;
  if (heard) {
    engines_.rosenpass.note_path_answers(now, *rosenpass_id_);
    return;
  }
  const rosenpass::PeerStatus status = engines_.rosenpass.status(*rosenpass_id_);
  const bool asking = status.state != rosenpass::ExchangeState::Idle &&
                      now - status.state_since >= kPathSilentAfter;
  const bool silent = !status.heard || now - *status.heard >= kPathSilentAfter;
  if (asking && silent) try_next_address(now);
}

void Pair::set_endpoints(TimePoint now, std::vector<Endpoint> endpoints) {
  config_.endpoints = endpoints;
  const auto before = link_.path();
  link_.set_configured(std::move(endpoints));
  if (link_.path() != before) publish_path(now);
}

bool Pair::reconfigure(TimePoint now, const PeerConfig& config) {
  if (config.wireguard_key != config_.wireguard_key || config.key_name != config_.key_name ||
      config.path_source != config_.path_source || !refusal_.empty()) {
    return false;
  }
  if (rosenpass_id_ && config.rosenpass_key.empty()) return false;
  // What waits for a session is for addresses that may be another peer's now.
  if (config.addresses != config_.addresses) engines_.wireguard.drop_waiting(*wireguard_id_);
  // A host name is to be resolved anew. Until then it stands for what it stood for.
  std::vector<Endpoint> endpoints = config.endpoints;
  if (config.has_endpoint && endpoints.empty()) endpoints = config_.endpoints;
  config_ = config;
  if (rosenpass_id_) {
    engines_.rosenpass.set_public_key(*rosenpass_id_, config_.rosenpass_key);
  } else {
    join_exchange(now);
  }
  engines_.wireguard.set_allowed_ips(*wireguard_id_, config_.addresses);
  engines_.wireguard.set_persistent_keepalive(now, *wireguard_id_, config_.keepalive);
  set_endpoints(now, std::move(endpoints));
  return true;
}

void Pair::publish_path(TimePoint now) {
  if (!wireguard_id_) return;
  engines_.wireguard.set_endpoint(now, *wireguard_id_, path());
  if (rosenpass_id_) engines_.rosenpass.set_path(now, *rosenpass_id_, path());
}

void Pair::publish_keys(TimePoint now) {
  if (!wireguard_id_) return;
  std::vector<wireguard::LiveKey> live;
  std::optional<wireguard::KeyId> current;
  const auto add = [&](const KeySlots::Slot& slot) {
    live.push_back({device_key(slot.number), slot.key.clone()});
  };
  if (plain()) {
    live.push_back({kPlainKey, crypto::PresharedKey::zero()});
    current = kPlainKey;
  }
  if (keys_.current()) {
    add(*keys_.current());
    current = device_key(keys_.current()->number);
  }
  if (keys_.pending()) add(*keys_.pending());
  for (const KeySlots::Slot& slot : keys_.retired()) add(slot);
  engines_.wireguard.set_preshared_keys(now, *wireguard_id_, current, std::move(live));

  if (const auto expiry = keys_.next_expiry()) {
    timers_.arm(Timer::ExpireKeys, *expiry);
  } else {
    timers_.disarm(Timer::ExpireKeys);
  }
}

// ---- status ----------------------------------------------------------------------------------

std::optional<TimePoint> Pair::age_from_of(KeyNumber key) const {
  const auto it = std::find_if(records_.begin(), records_.end(),
                               [key](const KeyRecord& record) { return record.number == key; });
  return it == records_.end() ? std::nullopt : std::optional(it->age_from);
}

Status Pair::status(TimePoint now) const {
  Status status;
  status.endpoint = path();
  status.renewals = completions_ > 0 ? completions_ - 1 : 0;
  if (keys_.current()) status.current_key_age = now - keys_.current()->age_from;
  if (wireguard_id_) {
    const wireguard::PeerInfo info = engines_.wireguard.info(*wireguard_id_);
    status.received_bytes = info.received_bytes;
    status.sent_bytes = info.sent_bytes;
    if (info.last_handshake) status.latest_handshake = now - *info.last_handshake;
    if (engines_.wireguard.has_usable_session(now, *wireguard_id_)) {
      const auto session = engines_.wireguard.session(now, *wireguard_id_);
      CHECK(session.has_value());
      status.session_age = now - session->established;
      // Only a key that an exchange of this pair made counts; all else reads "no".
      std::optional<TimePoint> age_from;
      if (session->key != kPlainKey) age_from = age_from_of(number_of(session->key));
      if (age_from) status.session_key_age = now - *age_from;
      status.protection = age_from ? Status::Protection::PostQuantum : Status::Protection::Plain;
    }
  }
  if (status.protection != Status::Protection::PostQuantum) status.why_not = why_not(now);
  return status;
}

std::string Pair::why_not(TimePoint now) const {
  if (!refusal_.empty()) return refusal_;
  if (!key_error_.empty()) return key_error_;
  if (!rosenpass_id_ && config_.key_name) {
    return "its public key has not been fetched from the server yet";
  }
  if (!rosenpass_id_) {
    return mode_ == Mode::Permissive
               ? "peer has no post-quantum key (permissive mode: plain WireGuard)"
               : "peer has no post-quantum key";
  }
  if (engines_.wireguard.has_usable_session(now, *wireguard_id_)) {
    return "the session in use was made without a key of an exchange";
  }
  const rosenpass::PeerStatus exchange = engines_.rosenpass.status(*rosenpass_id_);
  if (!path()) return no_path();
  if (keys_.current()) return "a key is agreed; the WireGuard handshake is not answered yet";
  if (exchange.state == rosenpass::ExchangeState::Idle) return "the key exchange has not begun";
  return fmt::format(
      "no answer to the key exchange from {} for {} s: the peer is down, the path is blocked, or "
      "the "
      "peer does not trust our key (then `trellis status` there says so)",
      path()->to_string(), seconds(now - exchange.state_since));
}

std::string Pair::no_path() const {
  if (config_.path_source == PathSource::Owner) {
    return "no path: none of its addresses answers (it is off, a firewall is between, or it does "
           "not trust our key: then `trellis status` there says so)";
  }
  return config_.has_endpoint ? "the endpoint's name is not resolved yet"
                              : "no endpoint is known: waiting for the peer to begin";
}

}  // namespace trellis::pair
