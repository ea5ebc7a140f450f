#include "protocol/wireguard/peer.h"

#include "protocol/ip/ecn.h"
#include "protocol/ip/too_big.h"
#include "protocol/wireguard/constants.h"

#include <algorithm>

namespace trellis::wireguard {

Peer::Peer(PeerId id, const crypto::PublicKey& public_key, Shared& shared)
    : id_(id),
      shared_(shared),
      remote_{public_key, std::nullopt},
      cookies_(public_key),
      sessions_(shared.indices) {
  reset_identity();
}

Peer::~Peer() { end_handshake(); }

const crypto::PresharedKey* Peer::preshared_key() const {
  return has_current_key_ ? &keys_.front().key : nullptr;
}

const Session* Peer::usable_session(TimePoint now) const {
  const Session* session = sessions_.current();
  return session && session->can_send(now) ? session : nullptr;
}

void Peer::reset_identity() {
  end_handshake();
  sessions_.clear();
  timers_.disarm(Timer::ExpireSessions);
  remote_.static_static.reset();
  if (shared_.identity) remote_ = Remote::of(*shared_.identity, remote_.public_key);
}

void Peer::set_preshared_keys(TimePoint now, bool has_current, std::vector<LiveKey> live) {
  keys_ = std::move(live);
  has_current_key_ = has_current;
  if (!staged_.empty() && !usable_session(now)) begin_handshake(now);
}

void Peer::set_endpoint(TimePoint now, std::optional<Endpoint> endpoint) {
  endpoint_ = endpoint;
  if (!staged_.empty() && !usable_session(now)) begin_handshake(now);
}

void Peer::set_persistent_keepalive(TimePoint now, Duration interval) {
  const bool begins = persistent_keepalive_ == Duration{} && interval > Duration{};
  persistent_keepalive_ = interval;
  timers_.disarm(Timer::PersistentKeepalive);
  if (interval == Duration{}) return;
  timers_.arm(Timer::PersistentKeepalive, now + interval);
  if (begins) send_keepalive(now);
}

std::optional<crypto::SealPacket> Peer::send(TimePoint now, MutableByteView packet) {
  Session* session = sessions_.current();
  if (!session || !session->can_send(now)) {
    stage(now, packet);
    return std::nullopt;
  }
  if (!endpoint_) {
    ++shared_.counters.no_endpoint;
    return std::nullopt;
  }
  const MutableByteView text(packet.data(), padded_size(now, packet.size()));
  std::ranges::fill(text.subspan(packet.size()), std::byte{0});
  const auto begun = session->begin_seal(text);
  CHECK(begun);  // it could send
  note_authentic_sent(now, text.size() + kDataOverhead);
  note_data_sent(now, *session);
  return *begun;
}

void Peer::count(OpenError error) {
  switch (error) {
    case OpenError::BadTag:
      ++shared_.counters.bad_tag;
      break;
    case OpenError::Replayed:
      ++shared_.counters.replayed;
      break;
    case OpenError::Expired:
      ++shared_.counters.expired_session;
      break;
  }
}

std::optional<crypto::OpenPacket> Peer::begin_receive(TimePoint now, const DataMessage& message,
                                                      MutableByteView datagram) {
  const Session* session = sessions_.find(SessionIndex{std::uint32_t{message.header.receiver}});
  if (!session) {  // the index of a handshake that runs
    ++shared_.counters.unknown_index;
    return std::nullopt;
  }
  if (session->expired(now)) {
    ++shared_.counters.expired_session;
    return std::nullopt;
  }
  const auto begun = session->begin_open(message, datagram);
  if (!begun) {
    count(begun.error());
    return std::nullopt;
  }
  return *begun;
}

std::optional<MutableByteView> Peer::finish_receive(TimePoint now, const Endpoint& from,
                                                    SessionIndex index,
                                                    const crypto::OpenPacket& packet) {
  // Asked for again: a packet of the same batch may have confirmed a session, and so ended another.
  Session* session = sessions_.find(index);
  if (!session) {
    ++shared_.counters.expired_session;
    return std::nullopt;
  }
  const auto opened = session->finish_open(packet);
  if (!opened) {
    count(opened.error());
    return std::nullopt;
  }

  const bool confirmed = sessions_.confirm(*session);
  if (confirmed) session_established(now, *session);
  // A late packet of an older session tells nothing about where the peer is now.
  if (opened->newest && session == sessions_.current()) note_endpoint(now, from);
  note_authentic_received(now, opened->text.size() + kDataOverhead);
  if (confirmed) send_staged(now);
  if (!last_minute_rekey_ && session->wants_rekey_after_receive(now)) {
    last_minute_rekey_ = true;
    begin_handshake(now);
  }
  if (opened->text.empty()) return std::nullopt;
  note_data_received(now);
  return opened->text;
}

void Peer::handle_timeout(TimePoint now) {
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::RetransmitHandshake:
        retransmit_handshake(now);
        break;
      case Timer::SendKeepalive: {
        const bool again = keepalive_again_;
        send_keepalive(now);
        if (again) timers_.arm(Timer::SendKeepalive, now + kKeepaliveTimeout);
        break;
      }
      case Timer::ExpectReply:
        begin_handshake(now);
        break;
      case Timer::ExpireSessions:
        sessions_.drop_expired(now);
        arm_expiry();
        break;
      case Timer::PersistentKeepalive:
        timers_.arm(Timer::PersistentKeepalive, now + persistent_keepalive_);
        send_keepalive(now);
        break;
      case Timer::kCount:
        CHECK(false);
    }
  }
}

void Peer::stage(TimePoint now, ByteView packet) {
  if (staged_.size() >= kStagedPacketsMax) {
    staged_.pop_front();
    ++shared_.counters.staged_overflow;
  }
  staged_.push_back(to_vector(packet));
  if (!has_current_key_) note_keys_needed(now);
  begin_handshake(now);
}

void Peer::send_staged(TimePoint now) {
  while (!staged_.empty()) {
    Session* session = sessions_.current();
    if (!endpoint_ || !session || !session->can_send(now)) return;
    const ByteVector packet = std::move(staged_.front());
    staged_.pop_front();
    seal_and_transmit(now, *session, packet);
    note_data_sent(now, *session);
  }
}

/// An empty data message; without a session, a handshake, whose end will send one.
void Peer::send_keepalive(TimePoint now) {
  Session* session = sessions_.current();
  if (!session || !session->can_send(now)) {
    begin_handshake(now);
  } else if (endpoint_) {
    seal_and_transmit(now, *session, {});
  }
}

void Peer::seal_and_transmit(TimePoint now, Session& session, ByteView packet) {
  const std::size_t size = padded_size(now, packet.size());
  ByteVector buffer(size + kDataOverhead);
  const MutableByteView text = MutableByteView(buffer).subspan(sizeof(DataHeader), size);
  std::ranges::copy(packet, text.begin());
  CHECK(session.seal(text));  // the callers have asked can_send
  note_authentic_sent(now, buffer.size());
  Transmit transmit{id_, *endpoint_, std::move(buffer)};
  if (!packet.empty()) {
    transmit.traffic_class = ip::outer_traffic_class(ip::traffic_class(packet));
    transmit.may_be_fragmented = !ip::shrinks_when_told(packet);
  }
  shared_.outbox.push_back(std::move(transmit));
}

std::size_t Peer::padded_size(TimePoint now, std::size_t size) const {
  const std::size_t padded = (size + kPaddingUnit - 1) / kPaddingUnit * kPaddingUnit;
  std::size_t mtu = shared_.config.mtu;
  if (const auto limit = path_mtu(now)) mtu = std::min(mtu, *limit);
  return std::min(padded, std::max(size, mtu));
}

void Peer::note_path_limit(TimePoint now, std::size_t payload_bytes_max) {
  if (!endpoint_) return;
  path_limit_ =
      PathLimit{*endpoint_, std::max(payload_bytes_max, kPathPayloadMin), now + kPathLimitLasts};
}

std::optional<std::size_t> Peer::path_mtu(TimePoint now) const {
  if (!path_limit_ || path_limit_->endpoint != endpoint_ || path_limit_->until <= now) {
    return std::nullopt;
  }
  return path_limit_->payload_bytes_max - kDataOverhead;
}

void Peer::note_endpoint(TimePoint now, const Endpoint& from) {
  if (endpoint_ == from) return;
  if (shared_.config.roaming == Roaming::Follow) {
    endpoint_ = from;
  } else if (told_moved_ && told_moved_->endpoint == from && now - told_moved_->at < 1s) {
    return;
  }
  told_moved_ = Told{from, now};
  shared_.events.emplace_back(Moved{id_, from});
}

void Peer::note_authentic_received(TimePoint now, std::size_t datagram_bytes) {
  received_bytes_ += datagram_bytes;
  timers_.disarm(Timer::ExpectReply);
  if (persistent_keepalive_ > Duration{}) {
    timers_.arm(Timer::PersistentKeepalive, now + persistent_keepalive_);
  }
}

void Peer::note_authentic_sent(TimePoint now, std::size_t datagram_bytes) {
  sent_bytes_ += datagram_bytes;
  timers_.disarm(Timer::SendKeepalive);
  keepalive_again_ = false;
  if (persistent_keepalive_ > Duration{}) {
    timers_.arm(Timer::PersistentKeepalive, now + persistent_keepalive_);
  }
}

void Peer::note_data_sent(TimePoint now, const Session& session) {
  last_data_ = now;
  if (!timers_.armed(Timer::ExpectReply)) {
    timers_.arm(Timer::ExpectReply, now + kKeepaliveTimeout + kRekeyTimeout + jitter());
  }
  if (session.wants_rekey_after_send(now, shared_.config.rekey_after_time)) begin_handshake(now);
}

void Peer::note_data_received(TimePoint now) {
  last_data_ = now;
  if (timers_.armed(Timer::SendKeepalive)) {
    keepalive_again_ = true;
  } else {
    timers_.arm(Timer::SendKeepalive, now + kKeepaliveTimeout);
  }
}

void Peer::arm_expiry() {
  timers_.disarm(Timer::ExpireSessions);
  if (const auto expiry = sessions_.next_expiry()) timers_.arm(Timer::ExpireSessions, *expiry);
}

void Peer::transmit_handshake(const Endpoint& to, ByteView message) {
  shared_.outbox.push_back(
      Transmit{id_, to, to_vector(message), shared_.config.handshake_traffic_class});
}

/// So that two ends do not try at the same time again and again. [WG 6.1]
Duration Peer::jitter() {
  return Duration(static_cast<Duration::rep>(
      shared_.random.below(static_cast<std::uint64_t>(Duration(kRekeyJitterMax).count()))));
}

}  // namespace trellis::wireguard
