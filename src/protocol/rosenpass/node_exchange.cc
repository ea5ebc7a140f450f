#include "base/log.h"
#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/node_state.h"
#include "protocol/rosenpass/session_mark.h"

/// Our own exchanges: beginning, repeating, ending. The responder's part needs no state.
namespace trellis::rosenpass {

void Node::State::set_exchange(TimePoint now, Peer& peer, OwnExchange next, const char* reason) {
  if (const auto* hello = std::get_if<HelloExchange>(&peer.exchange)) {
    by_session.erase(hello->sent.sidi);
  } else if (const auto* conf = std::get_if<ConfExchange>(&peer.exchange)) {
    by_session.erase(conf->sent.sidi);
  }
  peer.exchange = std::move(next);
  peer.exchange_since = now;
  peer.timers.disarm(PeerTimer::Begin);
  peer.timers.disarm(PeerTimer::Repeat);
  peer.timers.disarm(PeerTimer::Abandon);
  LOG(debug, "rosenpass", "exchange changed peer={} state={} reason=\"{}\"",
      static_cast<std::uint32_t>(peer.id), static_cast<int>(peer.state()), reason);

  if (const auto* hello = std::get_if<HelloExchange>(&peer.exchange)) {
    by_session.emplace(hello->sent.sidi, peer.id);
    peer.timers.arm(PeerTimer::Abandon, hello->first_sent + kHelloLife);
    arm_repeat(now, peer, hello->repeats);
  } else if (const auto* sent = std::get_if<ConfExchange>(&peer.exchange)) {
    by_session.emplace(sent->sent.sidi, peer.id);
    peer.timers.arm(PeerTimer::Abandon, sent->first_sent + kRejectAfter);
    arm_repeat(now, peer, 0);
  } else {
    arm_begin(now, peer);
  }
  check_invariants(peer);
}

void Node::State::begin(TimePoint now, Peer& peer) {
  CHECK(peer.path);
  const auto* before = std::get_if<HelloExchange>(&peer.exchange);
  const int repeats = before != nullptr ? before->repeats : 0;  // a silent peer stays a silent peer
  auto step = start_hello(*peer.own, peer.counterpart, unused_session_id(), *random);
  if (!step) {
    (void)blame(now, peer, Drop::BadKem);
    set_exchange(now, peer, NoExchange{}, "KEM failed");
    peer.timers.arm(PeerTimer::Begin, now + kHelloLife);
    return;
  }
  ++peer.counters.started;
  ++peer.counters.hellos_sent;
  transmit_own(now, peer, step->init_hello);
  set_exchange(now, peer,
               HelloExchange{.id = next_exchange(),
                             .first_sent = now,
                             .sent = std::move(step->sent),
                             .init_hello = std::move(step->init_hello),
                             .repeats = repeats},
               "InitHello sent");
}

void Node::State::repeat(TimePoint now, Peer& peer) {
  int repeats = 0;
  if (auto* hello = std::get_if<HelloExchange>(&peer.exchange)) {
    repeats = ++hello->repeats;
  } else if (auto* conf = std::get_if<ConfExchange>(&peer.exchange)) {
    if (conf->repeats >= kConfirmationRepeats) {
      return give_up(now, peer, *conf);
    }
    repeats = ++conf->repeats;
  }
  send_again(now, peer);
  arm_repeat(now, peer, repeats);
}

void Node::State::send_again(TimePoint now, Peer& peer) {
  if (const auto* hello = std::get_if<HelloExchange>(&peer.exchange)) {
    ++peer.counters.hellos_sent;
    transmit_own(now, peer, hello->init_hello);
  } else if (const auto* conf = std::get_if<ConfExchange>(&peer.exchange)) {
    transmit_own(now, peer, conf->init_conf);
  }
}

void Node::State::give_up(TimePoint now, Peer& peer, const ConfExchange& conf) {
  forget_given_up(peer);
  peer.given_up = ConfSent{conf.sent.sidi, conf.sent.responder_key.clone()};
  replace(now, peer, "InitConf unanswered");
  by_session.emplace(peer.given_up->sidi, peer.id);
}

void Node::State::forget_given_up(Peer& peer) {
  if (peer.given_up) by_session.erase(peer.given_up->sidi);
  peer.given_up.reset();
}

/// Ends the running exchange in favour of a new one; a pending key stays live with the owner.
void Node::State::replace(TimePoint now, Peer& peer, const char* reason) {
  LOG(debug, "rosenpass", "exchange replaced peer={} reason=\"{}\"",
      static_cast<std::uint32_t>(peer.id), reason);
  release_pending(peer);
  begin(now, peer);
}

void Node::State::abandon(TimePoint now, Peer& peer) {
  replace(now, peer, peer.state() == ExchangeState::Hello ? "InitHello unanswered" : "key too old");
}

void Node::State::release_pending(Peer& peer) {
  const auto* conf = std::get_if<ConfExchange>(&peer.exchange);
  if (conf != nullptr) events.push_back(Released{peer.id, conf->id});
}

void Node::State::expire(TimePoint now, Peer& peer) {
  CHECK(peer.current);
  ++peer.counters.expired;
  events.push_back(Expired{peer.id, peer.current->id});
  peer.current.reset();
  if (peer.state() == ExchangeState::Idle) arm_begin(now, peer);
}

/// Something authentic and fresh from the peer told what it is.
void Node::State::learn_kind(Peer& peer, SessionId of_peer, std::optional<std::uint64_t> counter) {
  if (peer.configured_kind != PeerKind::Unknown) return;
  if (is_marked(of_peer)) {
    peer.kind = PeerKind::Trellis;
  } else if (counter) {
    peer.kind = *counter == 0 ? PeerKind::Stock : PeerKind::StockGo;
  } else if (peer.kind == PeerKind::Trellis) {
    peer.kind = PeerKind::Unknown;  // another program has its key now
  }
}

/// Whether our own exchange comes first for a while, where both ends begin at once. Other programs
/// never stay quiet, so it is we who do; with go-rosenpass a crossing is decided by chance, for it
/// tells its keys in no certain order. [pair rule 2]
bool Node::State::stays_quiet(const Peer& peer, SessionId of_peer) const {
  const bool ours = peer.configured_kind == PeerKind::Trellis ||
                    (peer.configured_kind == PeerKind::Unknown && is_marked(of_peer));
  return !ours || peer.own->own.pid > peer.counterpart.key.pid;
}

/// Whether our own exchange survives the peer's InitConf. They may have crossed: if both ends
/// stopped, or both went on, each would be left with the other's key. [pair rule 1]
bool Node::State::goes_on(const Peer& peer) const {
  if (peer.state() != ExchangeState::Conf) return false;
  switch (peer.kind) {
    case PeerKind::Trellis:
      return peer.own->own.pid > peer.counterpart.key.pid;
    case PeerKind::Stock:
    case PeerKind::Unknown:
      return true;
    case PeerKind::StockGo:
      return false;
  }
  return false;
}

void Node::State::complete_as_initiator(TimePoint now, Peer& peer) {
  const auto* conf = std::get_if<ConfExchange>(&peer.exchange);
  CHECK(conf != nullptr);
  ++peer.counters.proven;
  peer.heard = now;
  events.push_back(Proven{peer.id, conf->id});
  adopt(peer, CurrentExchange{conf->id, conf->first_sent, Role::Initiator});
  set_exchange(now, peer, NoExchange{}, "proven");
}

void Node::State::complete_as_responder(TimePoint now, Peer& peer, const Endpoint& from,
                                        const InitConf& message, TimePoint age_from,
                                        CompletedExchange completed) {
  ++peer.counters.accepted;
  peer.heard = now;
  const ExchangeId id = next_exchange();
  transmit(peer.id, from, completed.empty_data);
  peer.accepted = AcceptedConf{message, std::move(completed.empty_data), age_from};
  events.push_back(Accepted{peer.id, id, std::move(completed.osk), age_from, from});
  adopt(peer, CurrentExchange{id, age_from, Role::Responder});

  if (goes_on(peer)) return;
  release_pending(peer);
  set_exchange(now, peer, NoExchange{}, "accepted");
}

/// What every completion does, in either role.
void Node::State::adopt(Peer& peer, const CurrentExchange& current) {
  peer.current = current;
  peer.timers.arm(PeerTimer::Expire, current.age_from + kRejectAfter);
  // A biscuit that was issued before could bring a key back that its maker has dropped. Only
  // go-rosenpass drops none, and is stuck when one is refused.
  if (peer.kind != PeerKind::StockGo) peer.biscuits_dead_to = biscuits.last();
  forget_given_up(peer);
}

void Node::State::arm_begin(TimePoint now, Peer& peer) {
  CHECK(peer.state() == ExchangeState::Idle);
  if (!peer.path) return peer.timers.disarm(PeerTimer::Begin);
  if (!peer.current) return peer.timers.arm(PeerTimer::Begin, now);
  const Duration life =
      peer.current->role == Role::Responder ? kRenewAsResponder : kRenewAsInitiator;
  peer.timers.arm(PeerTimer::Begin, peer.current->age_from + life);
}

void Node::State::arm_repeat(TimePoint now, Peer& peer, int repeats) {
  const double jitter = 0.5 + 0.5 * random->unit();
  const Duration delay = repeat_delay(peer, now, repeats);
  peer.timers.arm(PeerTimer::Repeat, now + std::chrono::duration_cast<Duration>(delay * jitter));
}

void Node::State::handle_peer_timeout(TimePoint now, Peer& peer) {
  const auto timer = peer.timers.pop_due(now);
  if (!timer) return;
  switch (*timer) {
    case PeerTimer::Begin:
      peer.trying_since = now;
      return begin(now, peer);
    case PeerTimer::Repeat:
      return repeat(now, peer);
    case PeerTimer::Abandon:
      return abandon(now, peer);
    case PeerTimer::Expire:
      return expire(now, peer);
    case PeerTimer::kCount:
      CHECK(false);
  }
}

void Node::State::update_deadline(Peer& peer) {
  const std::optional<TimePoint> next = peer.timers.next();
  if (next == peer.deadline) return;
  if (peer.deadline) deadlines.erase({*peer.deadline, peer.id});
  if (next) deadlines.emplace(*next, peer.id);
  peer.deadline = next;
}

void Node::State::check_invariants(const Peer& peer) const {
  const bool idle = peer.state() == ExchangeState::Idle;
  CHECK(peer.timers.armed(PeerTimer::Repeat) == !idle);
  CHECK(peer.timers.armed(PeerTimer::Abandon) == !idle);
  CHECK(peer.timers.armed(PeerTimer::Begin) == (idle && peer.path.has_value()));
  CHECK(peer.timers.armed(PeerTimer::Expire) == peer.current.has_value());
  CHECK(idle || peer.path);
}

SessionId Node::State::unused_session_id() {
  SessionId id = marked_session_id(*random);
  while (by_session.contains(id)) id = marked_session_id(*random);
  return id;
}

}  // namespace trellis::rosenpass
