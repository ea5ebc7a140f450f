#include "node/mesh/node.h"

#include "base/log.h"
#include "protocol/control/message.h"
#include "protocol/control/method_names.h"

#include <algorithm>
#include <set>

namespace trellis::mesh {
namespace {

/// An offer moves nobody who was of use so lately: else whoever makes up peers that offer would
/// make us fetch keys without end.
constexpr Duration kUnusedForOffer = 5min;
/// The keys of so many peers stay on disk, whatever their use; those that are pinned always do.
constexpr std::size_t kKeysKept = 1024;
constexpr Duration kFirstOfferPause = 1s;
constexpr Duration kOfferPauseMax = 30s;
/// Two offers of one peer within this time have one answer.
constexpr Duration kAnswerPause = 200ms;
constexpr Duration kMemoryPause = 1s;

uplink::Identity uplink_identity(const agent::Identity& identity, const agent::Agent& agent) {
  return {identity.wireguard.clone(), agent.rosenpass_key(), identity.rosenpass.public_key};
}

}  // namespace

Result<std::unique_ptr<Node>> Node::create(TimePoint now, agent::Identity identity,
                                           agent::State state, Memory memory, Options options,
                                           KeyCache& cache, Random& random) {
  agent::Agent::Options agent_options;
  agent_options.mode = options.mode;
  agent_options.suite = options.suite;
  agent::Identity own{identity.wireguard.clone(),
                      {identity.rosenpass.public_key, std::move(identity.rosenpass.secret_key)}};
  auto agent = TRY(agent::Agent::create(std::move(own), std::move(state), agent_options, random));
  if (memory.map && !netmap::is_allowed_domain(memory.map->domain, options.uplink.allowed_domain)) {
    memory.map.reset();
  }
  std::unique_ptr<Node> node(new Node(now, std::move(agent), identity, std::move(memory),
                                      std::move(options), cache, random));
  if (node->memory_.map) node->apply_map(now, *node->memory_.map);
  node->settle(now);
  return node;
}

Node::Node(TimePoint now, std::unique_ptr<agent::Agent> agent, const agent::Identity& identity,
           Memory memory, Options options, KeyCache& cache, Random& random)
    : mode_(options.mode),
      limits_(options.limits),
      instance_(options.uplink.instance),
      cache_(cache),
      random_(random),
      wireguard_key_(identity.wireguard.clone()),
      agent_(std::move(agent)),
      memory_(std::move(memory)) {
  options.uplink.strict = options.mode == pair::Mode::Strict;
  options.uplink.suite = options.suite;
  options.uplink.server_key = memory_.server_key;
  options.uplink.map = memory_.map;
  uplink_ = std::make_unique<uplink::Uplink>(now, uplink_identity(identity, *agent_),
                                             std::move(options.uplink), random);
}

Node::~Node() = default;

const Neighbour* Node::find(const crypto::PublicKey& peer) const {
  const auto it = neighbours_.find(peer);
  return it == neighbours_.end() ? nullptr : &it->second;
}

std::vector<std::string> Node::notices() const {
  return memory_.map ? memory_.map->rejected : std::vector<std::string>{};
}

// ---- the owner's wishes ----------------------------------------------------------------------

void Node::set_local_endpoints(TimePoint now, std::vector<Endpoint> endpoints) {
  if (endpoints == local_endpoints_) return;
  local_endpoints_ = std::move(endpoints);
  if (signal_is_up_) offer_to_all(now);
  settle(now);
}

Result<> Node::set_setup_key(TimePoint now, SecretBuffer text) {
  TRY(uplink_->set_setup_key(now, std::move(text)));
  settle(now);
  return {};
}

void Node::log_out(TimePoint now) {
  uplink_->log_out(now);
  settle(now);
}

Result<> Node::trust(TimePoint now, const std::string& peer) {
  TRY(agent_->trust(now, peer));
  apply_peers(now);
  settle(now);
  return {};
}

void Node::network_changed(TimePoint now) {
  uplink_->retry_now(now);
  for (auto& [key, neighbour] : neighbours_) {
    if (neighbour.wanted()) neighbour.link->restart(now);
  }
  settle(now);
}

// ---- the line to the server ------------------------------------------------------------------

void Node::connected(TimePoint now) {
  uplink_->connected(now);
  settle(now);
}

void Node::receive_stream(TimePoint now, ByteView bytes) {
  uplink_->receive(now, bytes);
  settle(now);
}

void Node::disconnected(TimePoint now, std::string why) {
  uplink_->disconnected(now, std::move(why));
  settle(now);
}

void Node::handle(TimePoint, uplink::Connect&&) { events_.emplace_back(Connect{}); }
void Node::handle(TimePoint, uplink::Disconnect&&) { events_.emplace_back(Disconnect{}); }

void Node::handle(TimePoint now, uplink::LoggedIn&& event) {
  refused_.reset();
  events_.emplace_back(Joined{event.registered});
  for (const std::string& warning : event.warnings) LOG(warn, "mesh", "the server: {}", warning);
  const bool changed =
      memory_.server_key != event.server_key || memory_.server_is_strict != event.strict;
  memory_.server_key = event.server_key;
  memory_.server_is_strict = event.strict;
  if (!changed) return;
  memory_changed_ = true;
  apply_peers(now);
}

void Node::handle(TimePoint now, uplink::MapChanged&& event) {
  apply_map(now, std::move(event.map));
  memory_changed_ = true;
}

void Node::handle(TimePoint, uplink::Synced&&) {
  // The map is in force, be it a new one or the one of before.
  if (memory_.map) events_.emplace_back(AddressesChanged{memory_.map->addresses});
}

void Node::handle(TimePoint, uplink::KeyUploaded&&) {}

void Node::handle(TimePoint now, uplink::SignalUp&&) {
  signal_is_up_ = true;
  offer_to_all(now);
}

void Node::handle(TimePoint, uplink::SignalDown&&) { signal_is_up_ = false; }

void Node::handle(TimePoint, uplink::KeyPiece&& event) {
  cache_.append_part(event.name, event.offset, event.bytes);
}

void Node::handle(TimePoint now, uplink::KeyFetched&& event) {
  if (const auto kept = cache_.put(event.name, event.bytes); !kept) {
    LOG(warn, "mesh", "{}", kept.error().message);
    return;
  }
  publish_peers(now);
}

void Node::handle(TimePoint, uplink::Refused&& event) {
  LOG(warn, "mesh", "{}", event.message);
  refused_ = std::move(event);
}

void Node::handle(TimePoint, uplink::LoggedOut&& event) {
  events_.emplace_back(LoggedOut{std::move(event.error)});
}

// ---- the map ---------------------------------------------------------------------------------

void Node::apply_map(TimePoint now, netmap::Map map) {
  std::map<crypto::PublicKey, Neighbour> before = std::exchange(neighbours_, {});
  for (const netmap::MapPeer& peer : map.peers) {
    Neighbour& neighbour = neighbours_[peer.wireguard_key];
    if (const auto it = before.find(peer.wireguard_key); it != before.end()) {
      neighbour = std::move(it->second);
    }
    neighbour.peer = peer;
  }
  for (auto& [key, gone] : before) {
    if (neighbours_.contains(key)) continue;
    offers_.clear(key);
    if (gone.wanted()) --wanted_;
  }
  std::erase_if(memory_.contacts,
                [&](const auto& entry) { return !neighbours_.contains(entry.first); });
  names_ = names::Names(map);
  events_.emplace_back(AddressesChanged{map.addresses});
  memory_.map = std::move(map);
  apply_peers(now);
}

/// Neither a map nor an offer makes us talk to a peer that the rules of a pair refuse.
bool Node::may_talk_to(const netmap::MapPeer& peer) const {
  const pair::Pair* pair = agent_->find_pair(peer.wireguard_key);
  return pair != nullptr && !pair->refused();
}

void Node::apply_peers(TimePoint now) {
  publish_peers(now);
  bool key_is_here = false;
  for (auto& [key, neighbour] : neighbours_) {
    if (neighbours_.size() <= limits_.ready_peers) {
      key_is_here |= want(now, neighbour, Reason::Map);
    }
  }
  if (key_is_here) publish_peers(now);
}

void Node::publish_peers(TimePoint now) {
  const bool strict = mode_ == pair::Mode::Strict || memory_.server_is_strict;
  std::set<pair::KeyName> used;
  std::set<pair::KeyName> known;
  std::vector<pair::PeerConfig> configs;
  configs.reserve(neighbours_.size());
  for (const auto& [key, neighbour] : neighbours_) {
    const netmap::MapPeer& peer = neighbour.peer;
    pair::PeerConfig config;
    config.name = peer.name;
    config.wireguard_key = peer.wireguard_key;
    config.key_name = peer.key_name;
    const bool kept = !neighbour.let_go || neighbours_.size() <= kKeysKept;
    if (peer.key_name && kept) known.insert(*peer.key_name);
    if (const auto* pin = agent_->pins().find(key)) known.insert(pin->key);
    if (peer.key_name && neighbour.wanted()) {
      config.rosenpass_key = cache_.find(*peer.key_name);
      if (!config.rosenpass_key.empty()) {
        config.digests = cache_.digests(*peer.key_name);
        used.insert(*peer.key_name);
      }
    }
    config.addresses = peer.addresses;
    config.path_source = pair::PathSource::Owner;
    configs.push_back(std::move(config));
  }
  std::sort(configs.begin(), configs.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  agent_->set_peers(now, strict ? pair::Mode::Strict : pair::Mode::Permissive, std::move(configs));
  cache_.keep(used, known);
  for (auto& [key, neighbour] : neighbours_) {
    if (neighbour.wanted()) agent_->set_path(now, key, neighbour.link->path());
  }
}

/// True if its key is here already, so that the pair can be told.
bool Node::want(TimePoint now, Neighbour& neighbour, Reason reason) {
  if (!may_talk_to(neighbour.peer)) return false;
  const netmap::MapPeer& peer = neighbour.peer;
  if (neighbour.wanted()) {
    neighbour.wanted_at = now;
    // Perhaps it has another key by now, or the disk had no room for the one that was fetched.
    if (peer.key_name && cache_.find(*peer.key_name).empty()) fetch(now, *peer.key_name);
    return false;
  }
  if (!make_room(now, reason)) return false;
  link::MeshLink::Config config;
  config.own = agent_->wireguard_key();
  config.peer = peer.wireguard_key;
  for (const InterfaceAddress& address : memory_.map->addresses) {
    config.overlay.push_back(address.network());
  }
  neighbour.link = links_.add(now, wireguard_key_, std::move(config), random_);
  if (!neighbour.link) return false;  // a key of small order: nobody can hold it
  ++wanted_;
  neighbour.wanted_at = now;
  neighbour.let_go = false;
  if (const auto it = memory_.contacts.find(peer.wireguard_key); it != memory_.contacts.end()) {
    neighbour.link->set_remote_candidates(now, ice::parse_candidates(it->second));
  }
  offer(now, neighbour);
  if (!peer.key_name) return false;
  if (!cache_.find(*peer.key_name).empty()) return true;
  fetch(now, *peer.key_name);
  return false;
}

void Node::fetch(TimePoint now, const pair::KeyName& name) {
  if (!uplink_->is_fetching(name)) uplink_->fetch_key(now, name, cache_.part(name));
}

/// False: all places are taken, by peers that are more use.
bool Node::make_room(TimePoint now, Reason reason) {
  if (wanted_ < limits_.wanted_peers) return true;
  Neighbour* unused = nullptr;
  for (auto& [key, other] : neighbours_) {
    if (other.wanted() && (!unused || last_used(other) < last_used(*unused))) unused = &other;
  }
  if (!unused) return false;
  if (reason != Reason::Traffic && now - last_used(*unused) < kUnusedForOffer) return false;
  let_go(now, *unused);
  return true;
}

TimePoint Node::last_used(const Neighbour& neighbour) const {
  const pair::Pair* pair = agent_->find_pair(neighbour.peer.wireguard_key);
  if (!pair || !pair->wireguard_id()) return neighbour.wanted_at;
  const auto data = agent_->wireguard().info(*pair->wireguard_id()).last_data;
  return data ? std::max(*data, neighbour.wanted_at) : neighbour.wanted_at;
}

void Node::let_go(TimePoint now, Neighbour& neighbour) {
  const netmap::MapPeer& peer = neighbour.peer;
  LOG(debug, "mesh", "unused for longest, let go peer={}", peer.name);
  neighbour.link.reset();
  neighbour.let_go = true;
  --wanted_;
  offers_.clear(peer.wireguard_key);
  agent_->set_path(now, peer.wireguard_key, std::nullopt);
  if (peer.key_name) uplink_->forget_key(now, *peer.key_name);
  publish_peers(now);
}

// ---- offers ----------------------------------------------------------------------------------

void Node::offer_to_all(TimePoint now) {
  for (auto& [key, neighbour] : neighbours_) {
    if (neighbour.wanted()) offer(now, neighbour);
  }
}

/// Offers now, and again for as long as there is no path.
void Node::offer(TimePoint now, Neighbour& neighbour) {
  neighbour.offer_pause = kFirstOfferPause;
  offers_.set(neighbour.peer.wireguard_key, now);
}

void Node::send_candidates(TimePoint now, Neighbour& neighbour, wire::signal::Body::Type type) {
  wire::signal::Body body;
  body.set_type(type);
  body.set_payload(neighbour.link->local_credentials().to_string());
  body.set_version(std::string(control::kAgentVersion));
  body.mutable_rosenpass();  // present and empty: keys do not travel in offers
  body.set_session_id(control::to_field(ByteView(instance_).first(5)));
  if (!local_endpoints_.empty()) body.set_wg_port(local_endpoints_.front().port);
  wire::signal::TrellisOffer& ours = *body.mutable_trellis();
  for (const ice::Candidate& candidate : ice::host_candidates(local_endpoints_)) {
    ours.add_candidates(candidate.to_string());
  }
  ours.set_instance(control::to_field(instance_));
  ours.set_sequence(++sequence_);
  uplink_->send_signal(now, neighbour.peer.wireguard_key, body);
}

void Node::handle(TimePoint now, uplink::Signal&& event) {
  const auto it = neighbours_.find(event.from);
  if (it == neighbours_.end()) return;
  Neighbour& neighbour = it->second;
  using wire::signal::Body;
  const bool offer = event.body.type() == Body::OFFER;
  if (!offer && event.body.type() != Body::ANSWER) return;
  const wire::signal::TrellisOffer& theirs = event.body.trellis();
  auto freshness = Freshness::Verdict::Next;
  if (event.body.has_trellis()) {
    const auto instance = control::field_bytes(theirs.instance());
    if (instance.size() != instance_.size()) return;
    freshness = neighbour.freshness.take(to_array<16>(instance), theirs.sequence());
  }
  if (freshness == Freshness::Verdict::Stale) {
    LOG(debug, "mesh", "old offer peer={}", neighbour.peer.name);
    return;
  }
  // It wants to talk to us.
  if (want(now, neighbour, Reason::Offer)) publish_peers(now);
  if (!neighbour.wanted() || !event.body.has_trellis()) return;

  std::vector<std::string> lines(theirs.candidates().begin(), theirs.candidates().end());
  std::erase_if(lines,
                [](const std::string& line) { return line.size() > Memory::kContactBytesMax; });
  if (lines.size() > Memory::kContactsMax) lines.resize(Memory::kContactsMax);
  neighbour.link->set_remote_candidates(now, ice::parse_candidates(lines));
  if (std::exchange(memory_.contacts[event.from], lines) != lines) memory_changed_ = true;

  if (freshness == Freshness::Verdict::Restarted) neighbour.link->restart(now);
  if (!offer || (neighbour.answered_at && now - *neighbour.answered_at < kAnswerPause)) return;
  neighbour.answered_at = now;
  send_candidates(now, neighbour, Body::ANSWER);
}

// ---- packets and paths -----------------------------------------------------------------------

void Node::send(TimePoint now, std::span<const wireguard::OutboundPacket> packets,
                std::vector<wireguard::OutboundDatagram>& datagrams) {
  agent_->send(now, packets, datagrams);
  settle(now);
}

void Node::receive(TimePoint now, std::span<const wireguard::InboundDatagram> datagrams,
                   std::vector<wireguard::InboundPacket>& packets) {
  agent_->receive(now, datagrams, packets);
  handle_stun(now);
  settle(now);
}

void Node::handle_stun(TimePoint now) {
  for (const wireguard::InboundDatagram& datagram : agent_->stun()) {
    if (!links_.handle_stun(now, datagram.from, datagram.bytes)) ++stray_stun_;
  }
}

/// The link to this peer has a path, another one, or none any more.
void Node::follow_link(TimePoint now, const crypto::PublicKey& peer) {
  Neighbour& neighbour = neighbours_.at(peer);
  while (neighbour.link->poll_event()) use_path(now, neighbour);
}

void Node::use_path(TimePoint now, Neighbour& neighbour) {
  const crypto::PublicKey& peer = neighbour.peer.wireguard_key;
  const std::optional<Endpoint> path = neighbour.link->path();
  agent_->set_path(now, peer, path);
  if (!path) {
    LOG(info, "mesh", "no path any more peer={}", neighbour.peer.name);
    offer(now, neighbour);
    return;
  }
  offers_.clear(peer);
  LOG(info, "mesh", "path peer={} address={}", neighbour.peer.name, path->to_string());
}

void Node::send_due_offers(TimePoint now) {
  while (const auto peer = offers_.pop_due(now)) {
    Neighbour& neighbour = neighbours_.at(*peer);
    if (!neighbour.link->path()) {
      offers_.set(*peer, now + neighbour.offer_pause);
      neighbour.offer_pause = std::min(2 * neighbour.offer_pause, kOfferPauseMax);
    }
    if (signal_is_up_) send_candidates(now, neighbour, wire::signal::Body::OFFER);
  }
}

void Node::settle(TimePoint now) {
  while (auto event = uplink_->poll_event()) {
    std::visit([&](auto& what) { handle(now, std::move(what)); }, *event);
  }
  for (const crypto::PublicKey& peer : agent_->take_wanted()) {
    const auto it = neighbours_.find(peer);
    if (it != neighbours_.end() && want(now, it->second, Reason::Traffic)) publish_peers(now);
  }
  for (const auto& [peer, from] : agent_->take_heard()) {
    const auto it = neighbours_.find(peer);
    if (it != neighbours_.end() && it->second.wanted()) it->second.link->heard_from(now, from);
  }
  while (const auto peer = links_.poll_changed()) follow_link(now, *peer);
}

// ---- time ------------------------------------------------------------------------------------

void Node::handle_timeout(TimePoint now) {
  uplink_->handle_timeout(now);
  agent_->handle_timeout(now);
  links_.handle_timeout(now);
  send_due_offers(now);
  settle(now);
}

std::optional<TimePoint> Node::next_timeout() const {
  auto next = earlier(uplink_->next_timeout(), agent_->next_timeout());
  next = earlier(next, links_.next_timeout());
  next = earlier(next, offers_.next());
  if (memory_changed_ && memory_polled_) next = earlier(next, *memory_polled_ + kMemoryPause);
  return next;
}

std::optional<std::string> Node::poll_memory(TimePoint now) {
  if (!memory_changed_ || (memory_polled_ && now - *memory_polled_ < kMemoryPause)) {
    return std::nullopt;
  }
  memory_changed_ = false;
  memory_polled_ = now;
  return format_memory(memory_);
}

std::optional<Event> Node::poll_event() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<agent::Agent::Transmit> Node::poll_transmit() {
  if (auto check = links_.poll_transmit()) {
    return agent::Agent::Transmit{check->to, std::move(check->bytes)};
  }
  auto transmit = agent_->poll_transmit();
  if (!transmit) let_keys_go();
  return transmit;
}

/// Half a megabyte of each key that an exchange has read.
void Node::let_keys_go() {
  for (const crypto::PublicKey& peer : agent_->take_read_keys()) {
    const pair::Pair* pair = agent_->find_pair(peer);
    if (pair && pair->config().key_name) cache_.let_go(*pair->config().key_name);
  }
}

}  // namespace trellis::mesh
