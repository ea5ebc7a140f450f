#include "node/agent/agent.h"

#include "base/log.h"
#include "crypto/x25519.h"

#include <algorithm>

namespace trellis::agent {
namespace {

/// A first retry after a second, not five: an answer that was lost should not be felt.
constexpr Duration kHandshakeRetry = 1s;
/// Each new key begins a handshake, after 120 or 130 s; WireGuard's own clock is for when that
/// fails.
constexpr Duration kRekeyAfterTime = 140s;

wireguard::Config device_config(const Identity& identity) {
  wireguard::Config config;
  config.private_key = identity.wireguard.clone();
  config.roaming = wireguard::Roaming::Report;  // the pair's link decides [pair rule 9]
  config.handshake_retry = kHandshakeRetry;
  config.rekey_after_time = kRekeyAfterTime;
  config.handshake_traffic_class = 0;  // some networks drop the kernel's; as all our messages
  return config;
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::create(Identity identity, State state, Options options,
                                             Random& random) {
  if (!options.suite) options.suite = &crypto::suite_rosenpass();
  // Moved, not copied: its pages may be locked.
  rosenpass::OwnKeys keys{identity.rosenpass.public_key, std::move(identity.rosenpass.secret_key)};
  auto node = rosenpass::Node::create(*options.suite, std::move(keys), random);
  if (!node) return fail_with("our own Rosenpass key has not the size that its suite needs");
  return std::unique_ptr<Agent>(
      new Agent(std::move(identity), *std::move(node), std::move(state), options, random));
}

Agent::Agent(Identity identity, rosenpass::Node node, State state, Options options, Random& random)
    : options_(options),
      own_key_(crypto::public_key(identity.wireguard)),
      own_name_{options.suite->number, node.own_pid()},
      timestamps_(state.timestamps_reserved),
      pins_(std::move(state.pins)),
      reserved_on_disk_(state.timestamps_reserved),
      wireguard_(device_config(identity), random, timestamps_),
      rosenpass_(std::move(node)) {}

Agent::~Agent() = default;

// ---- the list of peers -----------------------------------------------------------------------

void Agent::set_peers(TimePoint now, pair::Mode mode, std::vector<pair::PeerConfig> peers) {
  if (mode != options_.mode) {
    options_.mode = mode;
    pairs_.clear();  // what a pair may do without a key depends on it
  }
  peers_ = std::move(peers);
  for (pair::PeerConfig& peer : peers_) {
    if (peer.rosenpass_key.empty() || peer.key_name) continue;
    peer.key_name =
        pair::KeyName{options_.suite->number,
                      peer.digests ? peer.digests->pid : rosenpass::peer_hash(peer.rosenpass_key)};
  }
  apply_peers(now);
}

void Agent::apply_peers(TimePoint now) {
  std::map<crypto::PublicKey, std::unique_ptr<pair::Pair>> before;
  for (auto& pair : pairs_) {
    const crypto::PublicKey key = pair->config().wireguard_key;
    before[key] = std::move(pair);
  }
  pairs_.clear();

  std::vector<std::unique_ptr<pair::Pair>> kept(peers_.size());
  const std::vector<std::string> refusals = find_refusals();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const pair::PeerConfig& peer = peers_[i];
    const auto it = before.find(peer.wireguard_key);
    const bool known = it != before.end() && it->second;
    if (!refusals[i].empty()) {
      const bool told = known && it->second->refusal() == refusals[i];
      if (!told) LOG(warn, "agent", "peer {} is refused: {}", peer.name, refusals[i]);
    } else if (known && it->second->reconfigure(now, peer)) {
      kept[i] = std::move(it->second);
    }
  }
  // Pairs that end leave the engines before others enter: a key or an address may have moved.
  before.clear();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (kept[i]) continue;
    kept[i] = std::make_unique<pair::Pair>(now, pair::Engines{wireguard_, rosenpass_}, own_key_,
                                           peers_[i], options_.mode, refusals[i]);
  }
  pairs_ = std::move(kept);
  index_pairs();
  update_deadline();
  drain_events(now);
}

/// Why each peer of the list may not be talked to; empty: it may.
std::vector<std::string> Agent::find_refusals() const {
  std::map<pair::KeyName, std::size_t> owners;  // of each Rosenpass key
  for (const pair::PeerConfig& peer : peers_) {
    if (peer.key_name) ++owners[*peer.key_name];
  }
  std::vector<std::string> refusals;
  refusals.reserve(peers_.size());
  for (const pair::PeerConfig& peer : peers_) {
    refusals.push_back(refusal_of(peer, peer.key_name && owners[*peer.key_name] > 1));
  }
  return refusals;
}

std::string Agent::refusal_of(const pair::PeerConfig& peer, bool shares_its_key) const {
  if (peer.key_name == own_name_) return "refused: its Rosenpass key is our own";
  if (shares_its_key) return "refused: another peer is listed with the same Rosenpass key";
  const std::string remedy = " (if this is meant: trellis peers trust " + peer.name + ")";
  switch (pins_.check(peer.wireguard_key, peer.key_name)) {
    case pair::Pins::Verdict::Changed:
      return "refused: its Rosenpass key " + peer.key_name->to_string() + " is not the pinned " +
             pins_.find(peer.wireguard_key)->key.to_string() + remedy;
    case pair::Pins::Verdict::Missing:
      return "refused: it had a post-quantum key and is now listed without one" + remedy;
    case pair::Pins::Verdict::New:
      if (options_.mode == pair::Mode::Permissive && pins_.renamed(peer.name, peer.wireguard_key)) {
        return "refused: another machine had this name and was post-quantum" + remedy;
      }
      break;
    case pair::Pins::Verdict::Same:
      break;
  }
  if (!peer.key_name && options_.mode == pair::Mode::Strict) {
    return "peer has no post-quantum key (strict mode)";
  }
  return {};
}

std::vector<std::string> Agent::notices() const {
  std::vector<std::string> notices;
  for (const pair::PeerConfig& peer : peers_) {
    if (pins_.find(peer.wireguard_key) || !pins_.renamed(peer.name, peer.wireguard_key)) continue;
    notices.push_back(
        "peer " + peer.name +
        ": another WireGuard key was post-quantum under this name; if the machine was "
        "not replaced, ask who changed the list of peers (trellis peers trust " +
        peer.name + " forgets the old one)");
  }
  return notices;
}

void Agent::index_pairs() {
  by_key_.clear();
  by_wireguard_.clear();
  by_rosenpass_.clear();
  for (const auto& pair : pairs_) {
    by_key_[pair->config().wireguard_key] = pair.get();
    if (pair->wireguard_id()) by_wireguard_[*pair->wireguard_id()] = pair.get();
    if (pair->rosenpass_id()) by_rosenpass_[*pair->rosenpass_id()] = pair.get();
  }
}

void Agent::set_endpoints(TimePoint now, const std::string& peer,
                          const std::vector<Endpoint>& endpoints) {
  for (pair::PeerConfig& config : peers_) {
    if (config.name == peer) config.endpoints = endpoints;
  }
  for (const auto& pair : pairs_) {
    if (pair->config().name == peer) pair->set_endpoints(now, endpoints);
  }
  update_deadline();
}

void Agent::set_path(TimePoint now, const crypto::PublicKey& peer, std::optional<Endpoint> path) {
  const auto it = by_key_.find(peer);
  if (it == by_key_.end()) return;
  it->second->set_path(now, path);
  update_deadline();
  drain_events(now);
}

const pair::Pair* Agent::find_pair(const crypto::PublicKey& peer) const {
  const auto it = by_key_.find(peer);
  return it == by_key_.end() ? nullptr : it->second;
}

Result<> Agent::trust(TimePoint now, const std::string& peer) {
  const auto it = std::find_if(peers_.begin(), peers_.end(),
                               [&](const pair::PeerConfig& config) { return config.name == peer; });
  if (it == peers_.end()) return fail_with("no peer is named " + peer);
  pins_.trust(it->wireguard_key, it->name, it->key_name,
              [this](const crypto::PublicKey& key) -> std::optional<std::string> {
                const pair::Pair* listed = find_pair(key);
                return listed ? std::optional(listed->config().name) : std::nullopt;
              });
  pins_changed_ = true;
  LOG(info, "agent", "peer {} is trusted by an administrator's word", peer);
  apply_peers(now);
  return {};
}

// ---- packets ---------------------------------------------------------------------------------

void Agent::send(TimePoint now, std::span<const wireguard::OutboundPacket> packets,
                 std::vector<wireguard::OutboundDatagram>& datagrams) {
  wireguard_.send(now, packets, datagrams);
  drain_events(now);
}

void Agent::receive(TimePoint now, std::span<const wireguard::InboundDatagram> datagrams,
                    std::vector<wireguard::InboundPacket>& packets) {
  // After a sleep datagrams may come before the timers: no key that died meanwhile shall serve.
  if (const auto due = next_timeout(); due && *due <= now) handle_timeout(now);
  for_wireguard_.clear();
  stun_.clear();
  for (const wireguard::InboundDatagram& datagram : datagrams) {
    // What a peer sends through the tunnel to our port: a path that leads there would send each
    // packet into the tunnel again and again. [pair rule 9]
    if (wireguard_.peer_at(datagram.from.address)) {
      ++overlay_datagrams_;
      continue;
    }
    switch (protocol_of(datagram.bytes, rosenpass_.layout())) {
      case Protocol::WireGuard:
        for_wireguard_.push_back(datagram);
        break;
      case Protocol::Rosenpass:
        rosenpass_.handle_datagram(now, datagram.from, datagram.bytes);
        break;
      case Protocol::Stun:
        stun_.push_back(datagram);
        break;
      case Protocol::Unknown:
        ++unknown_datagrams_;
        break;
    }
  }
  // A key that a message of this batch brought must be in the device before its handshakes are
  // read.
  drain_events(now);
  if (for_wireguard_.empty()) return;
  wireguard_.receive(now, for_wireguard_, packets);
  drain_events(now);
}

// ---- events and time -------------------------------------------------------------------------

pair::Pair* Agent::pair_of(wireguard::PeerId peer) const {
  const auto it = by_wireguard_.find(peer);
  return it == by_wireguard_.end() ? nullptr : it->second;
}

pair::Pair* Agent::pair_of(rosenpass::PeerId peer) const {
  const auto it = by_rosenpass_.find(peer);
  return it == by_rosenpass_.end() ? nullptr : it->second;
}

void Agent::drain_events(TimePoint now) {
  const auto deliver = [&](const auto& event) {
    pair::Pair* pair = pair_of(event.peer);
    if (!pair) return;  // removed while the event waited
    pair->handle(now, event);
    if constexpr (std::is_same_v<decltype(event), const wireguard::Moved&>) {
      if (pair->config().path_source == pair::PathSource::Owner) {
        heard_.push_back({pair->config().wireguard_key, event.endpoint});
      }
    }
    pin_completed(*pair);
    if (pair->take_key_wanted()) wanted_.push_back(pair->config().wireguard_key);
  };
  // An event may lead a pair to act on the engines, which may have more to say.
  bool delivered = false;
  while (true) {
    if (auto event = rosenpass_.poll_event()) {
      std::visit(deliver, *event);
    } else if (auto other = wireguard_.poll_event()) {
      std::visit(deliver, *other);
    } else {
      break;
    }
    delivered = true;
  }
  if (delivered) update_deadline();
}

void Agent::update_deadline() {
  pair_deadline_.reset();
  for (const auto& pair : pairs_) {
    pair_deadline_ = earlier(pair_deadline_, pair->next_timeout());
  }
}

void Agent::pin_completed(const pair::Pair& pair) {
  const pair::PeerConfig& config = pair.config();
  if (!pair.completed() || !config.key_name) return;
  if (!pins_.pin(config.wireguard_key, {*config.key_name, config.name})) return;
  pins_changed_ = true;
  LOG(info, "agent", "peer {} is pinned to its Rosenpass key {}", config.name,
      config.key_name->to_string());
}

void Agent::handle_timeout(TimePoint now) {
  rosenpass_.handle_timeout(now);
  drain_events(now);
  if (pair_deadline_ && *pair_deadline_ <= now) {
    for (const auto& pair : pairs_) pair->handle_timeout(now);
    update_deadline();
  }
  wireguard_.handle_timeout(now);
  drain_events(now);
}

std::optional<TimePoint> Agent::next_timeout() const {
  return earlier(earlier(wireguard_.next_timeout(), rosenpass_.next_timeout()), pair_deadline_);
}

std::optional<std::string> Agent::poll_state() {
  if (!pins_changed_ && timestamps_.reserved() == reserved_on_disk_) return std::nullopt;
  pins_changed_ = false;
  reserved_on_disk_ = timestamps_.reserved();
  State state;
  state.timestamps_reserved = reserved_on_disk_;
  state.pins = pins_;
  return format_state(state);
}

std::optional<Agent::Transmit> Agent::poll_transmit() {
  if (auto transmit = rosenpass_.poll_transmit()) {
    const pair::Pair* pair = transmit->peer ? pair_of(*transmit->peer) : nullptr;
    if (pair) read_keys_.insert(pair->config().wireguard_key);
    return Transmit{transmit->to, std::move(transmit->bytes)};
  }
  if (auto transmit = wireguard_.poll_transmit()) {
    return Transmit{transmit->to, std::move(transmit->bytes), transmit->traffic_class,
                    transmit->may_be_fragmented};
  }
  return std::nullopt;
}

}  // namespace trellis::agent
