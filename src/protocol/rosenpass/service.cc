#include "protocol/rosenpass/service.h"

#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace trellis::rosenpass {

struct Service::State {
  struct Peer {
    ByteVector public_key;                                    // empty if it stays with the caller
    std::optional<std::pair<ExchangeId, OutputKey>> pending;  // the other end may not have it
    std::optional<Endpoint> heard_from;
  };

  State(ByteVector bytes, Node engine) : own_key(std::move(bytes)), node(std::move(engine)) {}

  void take_events(TimePoint now);
  void on(TimePoint now, Pending& event);
  void on(TimePoint now, Proven& event);
  void on(TimePoint now, Accepted& event);
  void on(TimePoint now, Released& event);
  void on(TimePoint now, Expired& event);
  void tell(KeyChange change);
  Peer* find(PeerId id) {
    const auto found = peers.find(id);
    return found == peers.end() ? nullptr : &found->second;
  }

  ByteVector own_key;  // empty if it stays with the caller
  Node node;
  std::unordered_map<PeerId, Peer> peers;
  std::deque<KeyChange> changes;
  std::function<void(const KeyChange&)> callback;
};

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}
Service::Service(Service&&) noexcept = default;
Service& Service::operator=(Service&&) noexcept = default;
Service::~Service() = default;

Result<Service> Service::create(ByteVector public_key, ByteView secret_key, Random& random,
                                Options options) {
  SecretBuffer secret = TRY(normalise_secret_key(*options.suite, secret_key));
  Service service = TRY(create_over(public_key, std::move(secret), random, options));
  service.state_->own_key = std::move(public_key);  // its bytes stay where they are
  return service;
}

Result<Service> Service::create_over(ByteView public_key, SecretBuffer secret_key, Random& random,
                                     Options options) {
  const crypto::KemSizes sizes = options.suite->static_kem->sizes();
  auto node = Node::create(*options.suite, {public_key, std::move(secret_key)}, random,
                           options.work_factor);
  if (!node) {
    return fail_with(node.error() == NodeError::WrongSecretKeySize
                         ? "a secret key has " + std::to_string(sizes.secret_key) + " bytes"
                         : "a public key has " + std::to_string(sizes.public_key) + " bytes");
  }
  return Service(std::make_unique<State>(ByteVector{}, *std::move(node)));
}

Expected<PeerId, NodeError> Service::add_peer(TimePoint now, PeerConfig config) {
  const PeerId id = TRY(state_->node.add_peer(now, std::move(config)));
  state_->peers.emplace(id, State::Peer{});
  return id;
}

Expected<PeerId, NodeError> Service::add_peer(TimePoint now, ByteVector public_key,
                                              PeerConfig config) {
  config.public_key = public_key;
  const PeerId id = TRY(add_peer(now, std::move(config)));
  state_->peers.at(id).public_key = std::move(public_key);  // its bytes stay where they are
  return id;
}

void Service::remove_peer(PeerId peer) {
  state_->node.remove_peer(peer);
  state_->peers.erase(peer);
  std::erase_if(state_->changes, [&](const KeyChange& change) { return change.peer == peer; });
}

void Service::set_path(TimePoint now, PeerId peer, std::optional<Endpoint> path) {
  state_->node.set_path(now, peer, path);
}

void Service::handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram) {
  state_->node.handle_datagram(now, from, datagram);
  state_->take_events(now);
}

void Service::handle_timeout(TimePoint now) {
  state_->node.handle_timeout(now);
  state_->take_events(now);
}

std::optional<TimePoint> Service::next_timeout() const { return state_->node.next_timeout(); }
std::optional<Transmit> Service::poll_transmit() { return state_->node.poll_transmit(); }

std::optional<Service::KeyChange> Service::poll_key() {
  if (state_->changes.empty()) return std::nullopt;
  KeyChange change = std::move(state_->changes.front());
  state_->changes.pop_front();
  return change;
}

void Service::on_key(std::function<void(const KeyChange&)> callback) {
  state_->callback = std::move(callback);
}

PeerStatus Service::status(PeerId peer) const { return state_->node.status(peer); }

std::optional<Endpoint> Service::heard_from(PeerId peer) const {
  const State::Peer* known = state_->find(peer);
  return known == nullptr ? std::nullopt : known->heard_from;
}

const Node& Service::node() const { return state_->node; }

void Service::State::take_events(TimePoint now) {
  while (auto event = node.poll_event()) {
    std::visit([&](auto& e) { on(now, e); }, *event);
  }
}

void Service::State::on(TimePoint, Pending& event) {
  Peer* peer = find(event.peer);
  if (peer != nullptr) peer->pending.emplace(event.exchange, std::move(event.osk));
}

void Service::State::on(TimePoint, Proven& event) {
  Peer* peer = find(event.peer);
  if (peer == nullptr || !peer->pending || peer->pending->first != event.exchange) return;
  OutputKey key = std::move(peer->pending->second);
  peer->pending.reset();
  tell({event.peer, std::move(key)});
}

void Service::State::on(TimePoint now, Accepted& event) {
  Peer* peer = find(event.peer);
  if (peer == nullptr) return;
  peer->heard_from = event.from;
  node.set_path(now, event.peer, event.from);
  tell({event.peer, std::move(event.osk)});
}

void Service::State::on(TimePoint, Released& event) {
  Peer* peer = find(event.peer);
  if (peer == nullptr || !peer->pending || peer->pending->first != event.exchange) return;
  peer->pending.reset();
}

void Service::State::on(TimePoint, Expired& event) { tell({event.peer, std::nullopt}); }

void Service::State::tell(KeyChange change) {
  if (callback) {
    callback(change);
  } else {
    changes.push_back(std::move(change));
  }
}

}  // namespace trellis::rosenpass
