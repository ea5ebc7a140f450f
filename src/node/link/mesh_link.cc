#include "node/link/mesh_link.h"

#include "node/link/mesh_links.h"

#include <algorithm>

namespace trellis::link {

MeshLink::MeshLink(TimePoint now, MeshLinks& links, Config config, ice::Agent::Config ice,
                   Random& random)
    : config_(std::move(config)),
      links_(&links),
      transaction_prefix_(ice.transaction_prefix),
      agent_(now, std::move(ice), random) {}

MeshLink::~MeshLink() {
  if (links_ != nullptr) links_->remove(*this);
}

void MeshLink::set_remote_candidates(TimePoint now, std::span<const ice::Candidate> candidates) {
  agent_.set_remote_candidates(now, candidates);
  flush(now);
}

void MeshLink::heard_from(TimePoint now, const Endpoint& from) {
  agent_.heard_from(now, from);
  flush(now);
}

void MeshLink::restart(TimePoint now) {
  agent_.restart(now);
  flush(now);
}

bool MeshLink::knows(const Endpoint& from) const {
  return std::ranges::find(agent_.pairs(), from, &ice::CandidatePair::endpoint) !=
         agent_.pairs().end();
}

bool MeshLink::handle_stun(TimePoint now, const Endpoint& from, const stun::Message& message,
                           ByteView datagram) {
  const bool ours = agent_.handle_message(now, from, message, datagram);
  if (ours) flush(now);
  return ours;
}

void MeshLink::handle_timeout(TimePoint now) {
  agent_.handle_timeout(now);
  flush(now);
}

std::optional<LinkEvent> MeshLink::poll_event() {
  if (events_.empty()) {
    if (links_ != nullptr) links_->changed_.erase(config_.peer);
    return std::nullopt;
  }
  const LinkEvent event = events_.front();
  events_.pop_front();
  return event;
}

std::optional<Endpoint> MeshLink::path() const {
  const ice::CandidatePair* pair = agent_.selected();
  return pair == nullptr ? std::nullopt : std::optional(pair->endpoint());
}

PathStatus MeshLink::status() const {
  const ice::CandidatePair* pair = agent_.selected();
  if (pair == nullptr) return {};
  const bool relayed = pair->remote.type == ice::CandidateType::Relayed;
  return {.kind = relayed ? "relayed" : "direct",
          .candidate = ice::to_string(pair->remote.type),
          .address = pair->endpoint(),
          .rtt = pair->round_trip,
          .since = since_};
}

void MeshLink::flush(TimePoint now) {
  take_events(now);
  while (auto transmit = agent_.poll_transmit()) {
    if (links_ != nullptr) links_->send({transmit->to, std::move(transmit->bytes)});
  }
  if (links_ != nullptr) links_->update(*this);
}

void MeshLink::take_events(TimePoint now) {
  while (const auto event = agent_.poll_event()) {
    if (const auto* selected = std::get_if<ice::Selected>(&*event)) {
      events_.emplace_back(PathChanged{selected->remote});
      since_ = now;
    } else {
      events_.emplace_back(PathLost{});
      since_.reset();
    }
  }
  while (events_.size() > kEventsMax) events_.pop_front();  // only the last one counts
}

}  // namespace trellis::link
