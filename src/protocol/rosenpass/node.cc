#include "protocol/rosenpass/node.h"

#include "base/log.h"
#include "protocol/rosenpass/node_state.h"

#include <algorithm>

namespace trellis::rosenpass {
namespace {

/// Exchanges begun, or key pairs of that cost made, in one call of `handle_timeout`.
constexpr int kBeginningsAtOnce = 4;
/// Datagrams waiting to be polled. Who drains as he should never sees it reached.
constexpr std::size_t kTransmitsMax = 4096;

}  // namespace

Node::Node(std::unique_ptr<State> state) : state_(std::move(state)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Node::State::State(const crypto::Suite& suite, OwnKeys keys, Random& source, double factor)
    : own_key(keys.public_key),
      secret_key(std::move(keys.secret_key)),
      random(&source),
      work_factor(factor),
      budgets(factor) {
  dialects.push_back(
      Identity{&suite, Layout(suite), StaticPublicKey(own_key), secret_key.expose()});
}

Expected<Node, NodeError> Node::create(const crypto::Suite& suite, OwnKeys keys, Random& random,
                                       double work_factor) {
  const crypto::KemSizes sizes = suite.static_kem->sizes();
  if (keys.public_key.size() != sizes.public_key) return fail(NodeError::WrongPublicKeySize);
  if (keys.secret_key.size() != sizes.secret_key) return fail(NodeError::WrongSecretKeySize);
  return Node(std::make_unique<State>(suite, std::move(keys), random, work_factor));
}

const PeerHash& Node::own_pid() const { return state_->dialects.front().own.pid; }
const Layout& Node::layout() const { return state_->dialects.front().layout; }

bool Node::accepts(ByteView datagram) const {
  return std::ranges::any_of(state_->dialects,
                             [&](const Identity& own) { return own.layout.accepts(datagram); });
}

Expected<PeerId, NodeError> Node::add_peer(TimePoint now, PeerConfig config) {
  State& state = *state_;
  if (config.public_key.size() != state.own_key.size()) return fail(NodeError::WrongPublicKeySize);
  const Identity* own = state.speak(config.dialect);
  if (own == nullptr) return fail(NodeError::WrongSuite);
  const Version version = config.dialect.version;
  const StaticPublicKey key(
      config.public_key, version,
      config.digests ? *config.digests : make_digests(config.public_key, version));
  if (key.pid == own->own.pid) return fail(NodeError::OwnKey);
  if (state.by_pid.contains(key.pid)) return fail(NodeError::AlreadyKnown);

  const PeerId id{++state.last_peer};
  auto owned =
      std::make_unique<Peer>(Peer{.id = id,
                                  .own = own,
                                  .counterpart = {key, std::move(config.psk), config.output_label},
                                  .kind = config.kind,
                                  .configured_kind = config.kind,
                                  .path = config.path,
                                  .exchange_since = now,
                                  .trying_since = now,
                                  .budgets = PeerBudgets(state.work_factor)});
  Peer& peer = *owned;
  state.peers.emplace(id, std::move(owned));
  state.by_pid.emplace(key.pid, id);
  if (peer.understands_cookies()) ++state.cookie_peers;
  state.count_path(peer.path, +1);
  state.arm_begin(now, peer);
  state.update_deadline(peer);
  return id;
}

void Node::set_public_key(PeerId id, ByteView same_bytes) {
  Peer* peer = state_->find(id);
  if (peer == nullptr) return;
  CHECK(same_bytes.size() == peer->counterpart.key.bytes.size());
  peer->counterpart.key.bytes = same_bytes;
}

void Node::remove_peer(PeerId id) {
  State& state = *state_;
  Peer* peer = state.find(id);
  if (peer == nullptr) return;
  state.set_exchange(peer->exchange_since, *peer, NoExchange{}, "peer removed");
  state.forget_given_up(*peer);
  peer->timers.disarm_all();
  state.update_deadline(*peer);
  state.count_path(peer->path, -1);
  if (peer->understands_cookies()) --state.cookie_peers;
  state.by_pid.erase(peer->counterpart.key.pid);
  state.peers.erase(id);
}

std::optional<PeerId> Node::find_peer(const PeerHash& pid) const {
  const auto found = state_->by_pid.find(pid);
  if (found == state_->by_pid.end()) return std::nullopt;
  return found->second;
}

void Node::set_path(TimePoint now, PeerId id, std::optional<Endpoint> path) {
  State& state = *state_;
  Peer* peer = state.find(id);
  if (peer == nullptr || peer->path == path) return;
  state.count_path(peer->path, -1);
  state.count_path(path, +1);
  peer->path = path;
  // To a peer that is silent everywhere a new path is one more guess: it is tried at once, but the
  // waiting between repeats does not begin anew, or two addresses would be asked in haste for ever.
  const auto* hello = std::get_if<HelloExchange>(&peer->exchange);
  const bool guess = hello != nullptr && !peer->path_answers(now);
  if (!guess) peer->trying_since = now;
  if (peer->state() == ExchangeState::Idle) {
    state.arm_begin(now, *peer);
  } else if (path) {
    state.send_again(now, *peer);
    state.arm_repeat(now, *peer, guess ? hello->repeats : 0);
  } else {
    state.release_pending(*peer);
    state.set_exchange(now, *peer, NoExchange{}, "path gone");
  }
  state.update_deadline(*peer);
}

void Node::note_path_answers(TimePoint now, PeerId id) {
  Peer* peer = state_->find(id);
  if (peer != nullptr) peer->heard = now;
}

void Node::start_exchange(TimePoint now, PeerId id) {
  State& state = *state_;
  Peer* peer = state.find(id);
  if (peer == nullptr || !peer->path || peer->state() != ExchangeState::Idle) return;
  peer->trying_since = now;
  state.begin(now, *peer);
  state.update_deadline(*peer);
}

void Node::confirm(TimePoint now, PeerId id, ExchangeId exchange) {
  State& state = *state_;
  Peer* peer = state.find(id);
  if (peer == nullptr) return;
  const auto* conf = std::get_if<ConfExchange>(&peer->exchange);
  if (conf == nullptr || conf->id != exchange || now - conf->first_sent >= kRejectAfter) return;
  state.complete_as_initiator(now, *peer);
  state.update_deadline(*peer);
}

void Node::handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram) {
  const auto result = state_->receive(now, from, datagram);
  if (result) return;
  ++state_->drops[static_cast<std::size_t>(result.error())];
  LOG(debug, "rosenpass", "datagram dropped reason=\"{}\" from={} bytes={}", name(result.error()),
      from.to_string(), datagram.size());
}

void Node::handle_timeout(TimePoint now) {
  State& state = *state_;
  state.biscuit_keys.expire(now);
  const std::uint64_t begun_before = state.exchanges;
  while (!state.deadlines.empty() && state.deadlines.begin()->first <= now) {
    if (state.exchanges - begun_before >= kBeginningsAtOnce) return;
    Peer* peer = state.find(state.deadlines.begin()->second);
    CHECK(peer != nullptr);
    state.handle_peer_timeout(now, *peer);
    state.update_deadline(*peer);
  }
}

std::optional<TimePoint> Node::next_timeout() const {
  const State& state = *state_;
  std::optional<TimePoint> next = state.biscuit_keys.next_expiry();
  if (!state.deadlines.empty()) next = earlier(next, state.deadlines.begin()->first);
  return next;
}

std::optional<Transmit> Node::poll_transmit() {
  if (state_->transmits.empty()) return std::nullopt;
  Transmit transmit = std::move(state_->transmits.front());
  state_->transmits.pop_front();
  return transmit;
}

std::optional<Event> Node::poll_event() {
  if (state_->events.empty()) return std::nullopt;
  Event event = std::move(state_->events.front());
  state_->events.pop_front();
  return event;
}

PeerStatus Node::status(PeerId id) const {
  const Peer* peer = state_->find(id);
  if (peer == nullptr) return {};
  PeerStatus status = peer->counters;
  status.state = peer->state();
  status.state_since = peer->exchange_since;
  if (peer->current) {
    status.current = peer->current->id;
    status.current_age_from = peer->current->age_from;
    status.role = peer->current->role;
  }
  status.pid = peer->counterpart.key.pid;
  status.kind = peer->kind;
  status.heard = peer->heard;
  return status;
}

std::optional<KeyDigests> Node::digests(PeerId id) const {
  const Peer* peer = state_->find(id);
  if (peer == nullptr) return std::nullopt;
  return peer->counterpart.key.digests();
}

const DropCounters& Node::drops() const { return state_->drops; }

/// Ourselves in a dialect, which is learnt when the first peer speaks it. Nothing if the suite does
/// not fit our keys.
const Identity* Node::State::speak(Dialect dialect) {
  if (dialect.suite == nullptr) dialect.suite = dialects.front().suite;
  for (const Identity& known : dialects) {
    if (known.dialect() == dialect) return &known;
  }
  const crypto::KemSizes sizes = dialect.suite->static_kem->sizes();
  if (sizes.public_key != own_key.size() || sizes.secret_key != secret_key.size()) return nullptr;
  dialects.push_back(Identity{dialect.suite, Layout(*dialect.suite),
                              StaticPublicKey(own_key, dialect.version), secret_key.expose()});
  return &dialects.back();
}

Peer* Node::State::find(PeerId id) {
  const auto found = peers.find(id);
  return found == peers.end() ? nullptr : found->second.get();
}

const Peer* Node::State::find(PeerId id) const {
  const auto found = peers.find(id);
  return found == peers.end() ? nullptr : found->second.get();
}

void Node::State::count_path(const std::optional<Endpoint>& path, int change) {
  if (!path) return;
  LivePath& live =
      live_paths.try_emplace(*path, LivePath{0, path_budget(work_factor)}).first->second;
  live.peers += change;
  CHECK(live.peers >= 0);
  if (live.peers == 0) {
    live_paths.erase(*path);
    return;
  }
  live.budget.resize(work_factor * std::min(kPathsShare, kPathShare * live.peers),
                     std::min(kPathsBurst, kPathBurst * live.peers));
}

void Node::State::transmit(std::optional<PeerId> peer, const Endpoint& to, ByteVector bytes) {
  if (transmits.size() >= kTransmitsMax) transmits.pop_front();
  transmits.push_back(Transmit{peer, to, std::move(bytes)});
}

}  // namespace trellis::rosenpass
