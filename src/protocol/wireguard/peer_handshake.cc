#include "protocol/wireguard/constants.h"
#include "protocol/wireguard/peer.h"

namespace trellis::wireguard {

bool Peer::may_handshake() const {
  return shared_.identity && has_current_key_ && endpoint_ && remote_.static_static;
}

void Peer::start_handshake(TimePoint now, Running running) {
  if (running == Running::Cancel) end_handshake();
  begin_handshake(now);
}

void Peer::begin_handshake(TimePoint now) {
  if (std::holds_alternative<InitiationSent>(handshake_) || !may_handshake()) return;
  attempts_ = 0;
  attempts_began_ = now;
  send_initiation(now);
}

void Peer::send_initiation(TimePoint now) {
  end_handshake();
  const SessionIndex local = shared_.indices.assign(*this, shared_.random);
  auto initiated =
      initiate(*shared_.identity, remote_, local, shared_.timestamps.next(), shared_.random);
  if (!initiated) {
    shared_.indices.release(local);
    return;
  }
  cookies_.add_macs(now, initiated->message);
  handshake_ = std::move(initiated->state);
  timers_.arm(Timer::RetransmitHandshake, now + shared_.config.handshake_retry + jitter());
  transmit_handshake(*endpoint_, bytes_of(initiated->message));
  note_authentic_sent(now, sizeof initiated->message);
}

void Peer::retransmit_handshake(TimePoint now) {
  shared_.events.emplace_back(HandshakeUnanswered{id_, ++attempts_});
  if (now - attempts_began_ >= kRekeyAttemptTime) {
    end_handshake();
    staged_.clear();  // whoever sent them has long given up [WG 6.4]
    return;
  }
  if (!may_handshake()) {
    end_handshake();
    if (!staged_.empty() && !has_current_key_) note_keys_needed(now);
    return;
  }
  send_initiation(now);
}

/// Forgets a handshake that runs, if one does.
void Peer::end_handshake() {
  if (const auto* sent = std::get_if<InitiationSent>(&handshake_)) {
    shared_.indices.release(sent->local);
  }
  handshake_ = Idle{};
  timers_.disarm(Timer::RetransmitHandshake);
}

void Peer::handle_initiation(TimePoint now, const Endpoint& from, InitiationOpened opened) {
  if (!has_current_key_) {
    ++shared_.counters.no_key;
    return;
  }
  if (last_initiation_ && now - *last_initiation_ < kInitiationInterval) {
    ++shared_.counters.rate_limited;
    return;
  }
  auto received = finish_initiation(std::move(opened), remote_);
  if (!received) {
    ++shared_.counters.bad_handshake;
    return;
  }
  if (greatest_timestamp_ && received->timestamp <= *greatest_timestamp_) {
    ++shared_.counters.stale_initiation;
    return;
  }
  const SessionIndex local = shared_.indices.assign(*this, shared_.random);
  auto responded = respond(*received, keys_.front().key, local, shared_.random);
  if (!responded) {
    shared_.indices.release(local);
    ++shared_.counters.bad_handshake;
    return;
  }

  greatest_timestamp_ = received->timestamp;
  last_initiation_ = now;
  sessions_.install_responded(std::make_unique<Session>(
      std::move(responded->keys), keys_.front().id, now, shared_.config.first_counter));
  arm_expiry();
  note_endpoint(now, from);
  note_authentic_received(now, sizeof(HandshakeInitiation));
  cookies_.add_macs(now, responded->message);
  transmit_handshake(from, bytes_of(responded->message));
  note_authentic_sent(now, sizeof responded->message);
  shared_.events.emplace_back(InitiationAccepted{id_, keys_.front().id});
}

bool Peer::awaits_response(TimePoint now, SessionIndex index) {
  const auto* sent = std::get_if<InitiationSent>(&handshake_);
  return sent && sent->local == index && responses_.take(now);
}

void Peer::handle_response(TimePoint now, const Endpoint& from, const HandshakeResponse& message) {
  const auto* sent = std::get_if<InitiationSent>(&handshake_);
  CHECK(sent && shared_.identity);
  auto consumed = consume_response(*sent, *shared_.identity, message, keys_);
  if (!consumed) {
    ++shared_.counters.bad_handshake;  // a forged response must not end the handshake
    return;
  }
  handshake_ = Idle{};  // its index is the session's now
  timers_.disarm(Timer::RetransmitHandshake);
  sessions_.install_initiated(std::make_unique<Session>(
      std::move(consumed->keys), consumed->preshared_key, now, shared_.config.first_counter));
  arm_expiry();
  note_endpoint(now, from);
  note_authentic_received(now, sizeof message);
  session_established(now, *sessions_.current());
  if (staged_.empty()) send_keepalive(now);  // the other end waits for a proof that we have the key
  send_staged(now);
}

void Peer::handle_cookie(TimePoint now, const CookieReply& message) {
  if (!cookies_.consume(now, message)) ++shared_.counters.bad_cookies;
}

void Peer::session_established(TimePoint now, const Session& session) {
  end_handshake();  // if the other end was faster, ours is not needed any more
  last_handshake_ = now;
  last_minute_rekey_ = false;
  told_keys_needed_.reset();
  shared_.events.emplace_back(
      SessionEstablished{id_, session.role(), session.preshared_key(), now});
}

void Peer::note_keys_needed(TimePoint now) {
  if (told_keys_needed_ && now - *told_keys_needed_ < 1s) return;
  told_keys_needed_ = now;
  shared_.events.emplace_back(KeyNeeded{id_});
}

}  // namespace trellis::wireguard
