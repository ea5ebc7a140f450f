#include "protocol/wireguard/device.h"

#include "base/secret_dump.h"
#include "protocol/wireguard/device_state.h"

#include <algorithm>
#include <array>

namespace trellis::wireguard {

Device::State::State(Config config, Random& random, TimestampSource& timestamps)
    : shared{.config = std::move(config),
             .identity = std::nullopt,
             .random = random,
             .timestamps = timestamps},
      gate(shared.config.handshakes_per_second) {
  set_identity(shared.config.private_key);
}

Peer& Device::State::peer(PeerId id) {
  const auto found = peers.find(id);
  CHECK(found != peers.end());
  return found->second;
}

const Peer& Device::State::peer(PeerId id) const {
  const auto found = peers.find(id);
  CHECK(found != peers.end());
  return found->second;
}

void Device::State::set_identity(const std::optional<crypto::PrivateKey>& key) {
  shared.identity.reset();
  cookies.reset();
  if (!key) return;
  shared.identity = Identity::of(key->clone());
  cookies.emplace(shared.identity->public_key, shared.random);
}

void Device::State::reschedule(Peer& peer) {
  const auto next = peer.next_timeout();
  if (!next || (peer.scheduled && *peer.scheduled <= *next)) return;
  if (peer.scheduled) schedule.erase({*peer.scheduled, peer.id()});
  peer.scheduled = next;
  schedule.emplace(*next, peer.id());
}

Device::Device(Config config, Random& random, TimestampSource& timestamps)
    : state_(std::make_unique<State>(std::move(config), random, timestamps)) {}
Device::Device(Device&&) noexcept = default;
Device& Device::operator=(Device&&) noexcept = default;
Device::~Device() = default;

void Device::set_private_key(std::optional<crypto::PrivateKey> key) {
  const auto& own_key = state_->shared.config.private_key;
  if (key && own_key && crypto::equal(key->expose(), own_key->expose())) return;
  state_->shared.config.private_key = std::move(key);
  state_->set_identity(state_->shared.config.private_key);
  if (const auto own = public_key()) {
    if (const auto self = find_peer(*own)) remove_peer(*self);
  }
  for (auto& [id, peer] : state_->peers) {
    peer.reset_identity();
    state_->reschedule(peer);
  }
}

const std::optional<crypto::PrivateKey>& Device::private_key() const {
  return state_->shared.config.private_key;
}

std::optional<crypto::PublicKey> Device::public_key() const {
  if (!state_->shared.identity) return std::nullopt;
  return state_->shared.identity->public_key;
}

Expected<PeerId, DeviceError> Device::add_peer(const crypto::PublicKey& key) {
  if (public_key() == key) return fail(DeviceError::OwnKey);
  if (find_peer(key)) return fail(DeviceError::AlreadyKnown);
  const PeerId id{state_->next_id++};
  state_->peers.try_emplace(id, id, key, state_->shared);
  state_->by_key.emplace(key, id);
  return id;
}

void Device::remove_peer(PeerId id) {
  Peer& peer = state_->peer(id);
  if (peer.scheduled) state_->schedule.erase({*peer.scheduled, id});
  state_->by_key.erase(peer.public_key());
  state_->allowed_ips.remove_all(id);
  state_->peers.erase(id);
  std::erase_if(state_->shared.outbox, [id](const Transmit& t) { return t.peer == id; });
  std::erase_if(state_->shared.events, [id](const Event& event) {
    return std::visit([id](const auto& e) { return e.peer == id; }, event);
  });
}

std::optional<PeerId> Device::find_peer(const crypto::PublicKey& key) const {
  const auto found = state_->by_key.find(key);
  if (found == state_->by_key.end()) return std::nullopt;
  return found->second;
}

std::vector<PeerId> Device::peers() const {
  std::vector<PeerId> result;
  result.reserve(state_->peers.size());
  for (const auto& [id, peer] : state_->peers) result.push_back(id);
  return result;
}

PeerInfo Device::info(PeerId id) const {
  const Peer& peer = state_->peer(id);
  return {.id = id,
          .public_key = peer.public_key(),
          .endpoint = peer.endpoint(),
          .last_handshake = peer.last_handshake(),
          .persistent_keepalive = peer.persistent_keepalive(),
          .received_bytes = peer.received_bytes(),
          .sent_bytes = peer.sent_bytes(),
          .last_data = peer.last_data()};
}

void Device::set_preshared_keys(TimePoint now, PeerId id, std::optional<KeyId> current,
                                std::vector<LiveKey> live) {
  for (const LiveKey& key : live) dump_secret("preshared-key", key.key.expose());
  if (current) {
    const auto found = std::ranges::find(live, *current, &LiveKey::id);
    CHECK(found != live.end());
    std::rotate(live.begin(), found, found + 1);
  }
  Peer& peer = state_->peer(id);
  peer.set_preshared_keys(now, current.has_value(), std::move(live));
  state_->reschedule(peer);
}

void Device::set_preshared_key(TimePoint now, PeerId id, crypto::PresharedKey key) {
  std::vector<LiveKey> live;
  live.push_back({KeyId{0}, std::move(key)});
  set_preshared_keys(now, id, KeyId{0}, std::move(live));
}

const crypto::PresharedKey* Device::preshared_key(PeerId id) const {
  return state_->peer(id).preshared_key();
}

void Device::set_endpoint(TimePoint now, PeerId id, std::optional<Endpoint> endpoint) {
  Peer& peer = state_->peer(id);
  peer.set_endpoint(now, endpoint);
  state_->reschedule(peer);
}

void Device::set_persistent_keepalive(TimePoint now, PeerId id, Duration interval) {
  Peer& peer = state_->peer(id);
  peer.set_persistent_keepalive(now, interval);
  state_->reschedule(peer);
}

void Device::set_allowed_ips(PeerId id, std::span<const Prefix> prefixes) {
  state_->allowed_ips.remove_all(id);
  for (const Prefix& prefix : prefixes) add_allowed_ip(id, prefix);
}

void Device::drop_waiting(PeerId id) { state_->peer(id).drop_waiting(); }

void Device::add_allowed_ip(PeerId id, const Prefix& prefix) {
  CHECK(state_->peers.contains(id));
  state_->allowed_ips.insert(prefix, id);
}

void Device::remove_allowed_ip(PeerId id, const Prefix& prefix) {
  state_->allowed_ips.remove(prefix, id);
}

std::vector<Prefix> Device::allowed_ips(PeerId id) const {
  return state_->allowed_ips.prefixes(id);
}

std::optional<PeerId> Device::peer_at(const IpAddress& address) const {
  return state_->allowed_ips.find(address);
}

void Device::set_mtu(std::size_t mtu) { state_->shared.config.mtu = mtu; }

void Device::start_handshake(TimePoint now, PeerId id, Running running) {
  Peer& peer = state_->peer(id);
  peer.start_handshake(now, running);
  state_->reschedule(peer);
}

bool Device::has_usable_session(TimePoint now, PeerId id) const {
  return state_->peer(id).usable_session(now) != nullptr;
}

std::optional<SessionInfo> Device::session(TimePoint now, PeerId id) const {
  const Session* session = state_->peer(id).usable_session(now);
  if (!session) return std::nullopt;
  return SessionInfo{session->preshared_key(), session->role(), session->made()};
}

void Device::note_path_limit(TimePoint now, const Endpoint& to, std::size_t payload_bytes_max) {
  for (auto& [id, peer] : state_->peers) {
    if (peer.endpoint() == to) peer.note_path_limit(now, payload_bytes_max);
  }
}

void Device::handle_timeout(TimePoint now) {
  while (!state_->schedule.empty() && state_->schedule.begin()->first <= now) {
    Peer& peer = state_->peer(state_->schedule.begin()->second);
    state_->schedule.erase(state_->schedule.begin());
    peer.scheduled.reset();
    peer.handle_timeout(now);
    state_->reschedule(peer);
  }
}

std::optional<TimePoint> Device::next_timeout() const {
  if (state_->schedule.empty()) return std::nullopt;
  return state_->schedule.begin()->first;
}

std::optional<Transmit> Device::poll_transmit() {
  std::deque<Transmit>& outbox = state_->shared.outbox;
  if (outbox.empty()) return std::nullopt;
  Transmit result = std::move(outbox.front());
  outbox.pop_front();
  return result;
}

std::optional<Event> Device::poll_event() {
  std::deque<Event>& events = state_->shared.events;
  if (events.empty()) return std::nullopt;
  Event result = events.front();
  events.pop_front();
  return result;
}

std::optional<ByteVector> Device::poll_host_packet() {
  std::deque<ByteVector>& packets = state_->host_packets;
  if (packets.empty()) return std::nullopt;
  ByteVector result = std::move(packets.front());
  packets.pop_front();
  return result;
}

const Counters& Device::counters() const { return state_->shared.counters; }

}  // namespace trellis::wireguard
