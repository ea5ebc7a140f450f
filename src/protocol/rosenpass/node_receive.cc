#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/node_state.h"

#include <algorithm>

/// What comes in. Each step is cheaper than the one behind it, and says no as early as it can.
namespace trellis::rosenpass {

Expected<void, Drop> Node::State::receive(TimePoint now, const Endpoint& from, ByteView datagram) {
  const Message message = TRY(identity.layout.parse(datagram));
  if (!has_valid_mac(datagram, identity.own.mac_key)) return fail(Drop::BadMac);
  if (const auto* hello = std::get_if<InitHello>(&message)) return on_init_hello(now, from, *hello);
  if (const auto* hello = std::get_if<RespHello>(&message)) return on_resp_hello(now, *hello);
  if (const auto* conf = std::get_if<InitConf>(&message)) return on_init_conf(now, from, *conf);
  return on_empty_data(now, std::get<EmptyData>(message));
}

/// May be a replay: it changes nothing but budgets, and a biscuit's number. [pair rule 2]
Expected<void, Drop> Node::State::on_init_hello(TimePoint now, const Endpoint& from,
                                                const InitHello& hello) {
  TRY(admit_opening(now, from));
  OpenedHello opened = TRY(open_init_hello(hello, identity));
  const auto found = by_pid.find(opened.pidi);
  if (found == by_pid.end()) return fail(Drop::UnknownPeer);
  Peer& peer = *find(found->second);

  const bool larger = identity.own.pid > peer.counterpart.key.pid;
  std::optional<TimePoint> own_since;
  if (const auto* own = std::get_if<HelloExchange>(&peer.exchange)) own_since = own->first_sent;
  if (const auto* own = std::get_if<ConfExchange>(&peer.exchange)) own_since = own->first_sent;
  if (larger && own_since && now - *own_since < kCollisionQuiet) return fail(Drop::Collision);

  TRY(admit_answering(now, from, peer));
  auto transcript = check_init_hello(std::move(opened), hello, peer.counterpart);
  if (!transcript) return blame(now, peer, transcript.error());
  const BiscuitSeal seal{biscuit_keys.sealing_key(now, *random), biscuits.issue(now)};
  auto answer =
      make_resp_hello(*std::move(transcript), hello, identity, peer.counterpart, seal, *random);
  if (!answer) return blame(now, peer, answer.error());
  transmit(peer.id, from, *std::move(answer));
  return {};
}

Expected<void, Drop> Node::State::on_resp_hello(TimePoint now, const RespHello& hello) {
  Peer* peer = find_session(hello.sidi);
  if (peer == nullptr) return fail(Drop::UnknownSession);
  const auto* own = std::get_if<HelloExchange>(&peer->exchange);
  if (own == nullptr) return fail(Drop::WrongState);
  if (now - own->first_sent >= kRejectAfter) return fail(Drop::Stale);  // we slept
  if (!peer->budgets.resp_hello.take(now, kCostOfRespHello)) return fail(Drop::PeerBusy);
  auto step = consume_resp_hello(own->sent, hello, identity, peer->counterpart);
  if (!step) return blame(now, *peer, step.error());

  peer->heard = now;
  CHECK(peer->path);
  transmit(peer->id, *peer->path, step->init_conf);
  events.push_back(Pending{peer->id, own->id, std::move(step->osk), own->first_sent});
  set_exchange(now, *peer,
               ConfExchange{.id = own->id,
                            .first_sent = own->first_sent,
                            .sent = std::move(step->sent),
                            .init_conf = std::move(step->init_conf)},
               "RespHello came");
  update_deadline(*peer);
  return {};
}

Expected<void, Drop> Node::State::on_init_conf(TimePoint now, const Endpoint& from,
                                               const InitConf& message) {
  const auto biscuit = biscuit_keys.open(
      now, biscuit_additional_data(identity.own, message.sidi, message.sidr), message.biscuit_ct);
  if (!biscuit) return fail(Drop::BadBiscuit);
  const auto found = by_pid.find(biscuit->pidi);
  if (found == by_pid.end()) return fail(Drop::UnknownPeer);
  Peer& peer = *find(found->second);

  // Its sender has not seen our answer. The same one again, and no second exchange.
  if (peer.accepted && peer.accepted->message == message) {
    if (now - peer.accepted->age_from >= kRejectAfter) return fail(Drop::Stale);
    transmit(peer.id, from, peer.accepted->empty_data);
    return {};
  }
  if (biscuit->number <= peer.biscuits_dead_to) return blame(now, peer, Drop::DeadBiscuit);  // ICR5
  const auto issued_at = biscuits.issued_at(now, biscuit->number);
  if (!issued_at) return blame(now, peer, Drop::Stale);
  auto completed = complete_exchange(*biscuit, message, identity, peer.counterpart);
  if (!completed) return blame(now, peer, completed.error());
  peer.biscuits_dead_to = biscuit->number;  // ICR6
  complete_as_responder(now, peer, from, message, *issued_at, *std::move(completed));
  update_deadline(peer);
  return {};
}

Expected<void, Drop> Node::State::on_empty_data(TimePoint now, const EmptyData& message) {
  Peer* peer = find_session(message.sid);
  if (peer == nullptr) return fail(Drop::UnknownSession);
  if (peer->given_up && peer->given_up->sidi == message.sid) {
    if (!is_acknowledged(peer->given_up->responder_key, message)) return fail(Drop::BadAuth);
    peer->patience = std::min(peer->patience + 1, kPatienceMost);
    forget_given_up(*peer);
    return fail(Drop::Late);
  }
  const auto* own = std::get_if<ConfExchange>(&peer->exchange);
  if (own == nullptr) return fail(Drop::WrongState);
  if (now - own->first_sent >= kRejectAfter) return fail(Drop::Stale);  // we slept
  if (!is_acknowledged(own->sent.responder_key, message)) return blame(now, *peer, Drop::BadAuth);
  complete_as_initiator(now, *peer);
  update_deadline(*peer);
  return {};
}

/// Before anything is known but the address, which may be forged.
Expected<void, Drop> Node::State::admit_opening(TimePoint now, const Endpoint& from) {
  const auto live = live_paths.find(from);
  if (live == live_paths.end()) {
    if (!budgets.strangers.take(now, kCostOfOpening)) return fail(Drop::StrangersBusy);
    return {};
  }
  if (!live->second.budget.take(now, kCostOfOpening)) return fail(Drop::PeerBusy);
  if (!budgets.paths.take(now, kCostOfOpening)) return fail(Drop::PathsBusy);
  return {};
}

/// Before the other two thirds of the work, now that we know who it is said to be.
Expected<void, Drop> Node::State::admit_answering(TimePoint now, const Endpoint& from, Peer& peer) {
  const bool from_live_path = peer.path == from;
  WorkBudget& own = from_live_path ? peer.budgets.path : peer.budgets.elsewhere;
  if (!own.take(now, kCostOfAnswering)) return fail(Drop::PeerBusy);
  WorkBudget& shared = live_paths.contains(from) ? budgets.paths : budgets.strangers;
  shared.spend(now, kCostOfAnswering);
  return {};
}

/// Keeps the reason for people to read. Anybody can send what claims to be from this peer.
tl::unexpected<Drop> Node::State::blame(TimePoint now, Peer& peer, Drop reason) {
  peer.counters.last_drop = reason;
  peer.counters.last_drop_at = now;
  return fail(reason);
}

Peer* Node::State::find_session(SessionId sid) {
  const auto found = by_session.find(sid);
  return found == by_session.end() ? nullptr : find(found->second);
}

}  // namespace trellis::rosenpass
