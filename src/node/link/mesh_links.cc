#include "node/link/mesh_links.h"

#include "base/hex.h"
#include "node/link/path_rules.h"
#include "protocol/ice/derived_credentials.h"

namespace trellis::link {

MeshLinks::~MeshLinks() {
  for (const auto& [peer, link] : by_peer_) link->links_ = nullptr;
}

std::unique_ptr<MeshLink> MeshLinks::add(TimePoint now, const crypto::PrivateKey& own,
                                         MeshLink::Config config, Random& random) {
  if (config.own == config.peer || by_peer_.contains(config.peer)) return nullptr;
  auto credentials = ice::derive_credentials(own, config.own, config.peer);
  if (!credentials) return nullptr;

  ice::Agent::Config ice;
  ice.local = std::move(credentials->local);
  ice.remote = std::move(credentials->remote);
  // As stock NetBird decides it: by the texts of the keys.
  ice.role = to_base64(config.own.bytes) > to_base64(config.peer.bytes) ? ice::Role::Controlling
                                                                        : ice::Role::Controlled;
  do {
    ice.transaction_prefix = random.bytes<4>();
  } while (by_prefix_.contains(ice.transaction_prefix));
  ice.usable = [overlay = config.overlay](const Endpoint& endpoint) {
    return may_lead_to_peer(endpoint, overlay);
  };
  std::unique_ptr<MeshLink> link(
      new MeshLink(now, *this, std::move(config), std::move(ice), random));
  by_peer_.emplace(link->peer(), link.get());
  by_prefix_.emplace(link->transaction_prefix_, link.get());
  by_ufrag_.emplace(link->local_credentials().ufrag, link.get());
  return link;
}

void MeshLinks::remove(MeshLink& link) {
  if (link.deadline_) deadlines_.erase({*link.deadline_, link.peer()});
  by_peer_.erase(link.peer());
  by_prefix_.erase(link.transaction_prefix_);
  by_ufrag_.erase(link.local_credentials().ufrag);
  changed_.erase(link.peer());
}

bool MeshLinks::handle_stun(TimePoint now, const Endpoint& from, ByteView datagram) {
  const auto message = stun::parse(datagram);
  if (!message) {
    ++counters_.not_stun;
    return false;
  }
  MeshLink* const link = link_of(*message);
  if (link == nullptr) {
    ++counters_.unknown;
    return false;
  }
  if (now < failures_.next() && !link->knows(from)) {
    ++counters_.not_looked_at;
    return false;
  }
  if (link->handle_stun(now, from, *message, datagram)) return true;
  ++counters_.not_authentic;
  (void)failures_.take(now);
  return false;
}

MeshLink* MeshLinks::link_of(const stun::Message& message) const {
  if (message.kind == stun::Class::Request) {
    if (!message.username) return nullptr;
    const std::string_view name = message.username->substr(0, message.username->find(':'));
    const auto it = by_ufrag_.find(name);
    return it == by_ufrag_.end() ? nullptr : it->second;
  }
  const auto it = by_prefix_.find(to_array<4>(message.transaction));
  return it == by_prefix_.end() ? nullptr : it->second;
}

void MeshLinks::handle_timeout(TimePoint now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    MeshLink& link = *by_peer_.at(deadlines_.begin()->second);
    link.handle_timeout(now);
    // Each once: a deadline that stays is for the next call.
    if (link.deadline_ && *link.deadline_ <= now) break;
  }
}

std::optional<TimePoint> MeshLinks::next_timeout() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

std::optional<Transmit> MeshLinks::poll_transmit() {
  if (transmits_.empty()) return std::nullopt;
  Transmit transmit = std::move(transmits_.front());
  transmits_.pop_front();
  return transmit;
}

std::optional<crypto::PublicKey> MeshLinks::poll_changed() {
  if (changed_.empty()) return std::nullopt;
  return changed_.extract(changed_.begin()).value();
}

void MeshLinks::send(Transmit transmit) { transmits_.push_back(std::move(transmit)); }

/// After every call of a link: when it wants to be called again, and whether it has news.
void MeshLinks::update(MeshLink& link) {
  const auto deadline = link.next_timeout();
  if (deadline != link.deadline_) {
    if (link.deadline_) deadlines_.erase({*link.deadline_, link.peer()});
    if (deadline) deadlines_.emplace(*deadline, link.peer());
    link.deadline_ = deadline;
  }
  if (!link.events_.empty()) changed_.insert(link.peer());
}

}  // namespace trellis::link
