#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/node_state.h"
#include "protocol/rosenpass/session_mark.h"

#include <algorithm>

/// What comes in. Each step is cheaper than the one behind it, and says no as early as it can.
namespace trellis::rosenpass {

Expected<void, Drop> Node::State::receive(TimePoint now, const Endpoint& from, ByteView datagram) {
  Drop reason = Drop::UnknownType;
  std::array<std::optional<bool>, kVersions> right_mac;
  for (const Identity& own : dialects) {
    const auto message = own.layout.parse(datagram);
    if (!message) {
      if (reason != Drop::BadMac) reason = message.error();
      continue;
    }
    if (const auto* reply = std::get_if<CookieReply>(&*message)) {
      return on_cookie_reply(now, *reply);
    }
    std::optional<bool>& right = right_mac[static_cast<std::size_t>(own.own.version)];
    if (!right) right = has_valid_mac(datagram, own.own.mac_key);
    if (*right) return dispatch(now, from, own, *message, datagram);
    reason = Drop::BadMac;
  }
  return fail(reason);
}

/// `own`: the dialect in which the message can be read and its mac is right. InitConf and EmptyData
/// look alike in all suites, so there only the version is known.
Expected<void, Drop> Node::State::dispatch(TimePoint now, const Endpoint& from, const Identity& own,
                                           const Message& message, ByteView datagram) {
  if (const auto* m = std::get_if<InitHello>(&message)) {
    return on_init_hello(now, from, own, *m, datagram);
  }
  if (const auto* m = std::get_if<RespHello>(&message)) return on_resp_hello(now, own, *m);
  if (const auto* m = std::get_if<InitConf>(&message)) return on_init_conf(now, from, own, *m);
  return on_empty_data(now, own, std::get<EmptyData>(message));
}

/// May be a replay: it changes nothing but budgets, and a biscuit's number. [pair rule 2]
Expected<void, Drop> Node::State::on_init_hello(TimePoint now, const Endpoint& from,
                                                const Identity& own, const InitHello& hello,
                                                ByteView datagram) {
  WorkBudget* const shared = TRY(admit_opening(now, from, own, hello, datagram));
  OpenedHello opened = TRY(open_init_hello(hello, own));
  const auto found = by_pid.find(opened.pidi);
  if (found == by_pid.end()) return fail(Drop::UnknownPeer);
  Peer& peer = *find(found->second);
  if (peer.own != &own) return fail(Drop::UnknownPeer);  // it speaks another dialect

  std::optional<TimePoint> own_since;
  if (const auto* e = std::get_if<HelloExchange>(&peer.exchange)) own_since = e->first_sent;
  if (const auto* e = std::get_if<ConfExchange>(&peer.exchange)) own_since = e->first_sent;
  if (stays_quiet(peer, hello.sidi) && own_since && now - *own_since < kCollisionQuiet)
    return fail(Drop::Collision);

  TRY(admit_answering(now, from, peer, *shared));
  auto transcript = check_init_hello(std::move(opened), hello, peer.counterpart);
  if (!transcript) return blame(now, peer, transcript.error());
  const BiscuitSeal seal{marked_session_id(*random), biscuit_keys.sealing_key(now, *random),
                         biscuits.issue(now)};
  auto answer =
      make_resp_hello(*std::move(transcript), hello, own, peer.counterpart, seal, *random);
  if (!answer) return blame(now, peer, answer.error());
  transmit(peer.id, from, *std::move(answer));
  return {};
}

Expected<void, Drop> Node::State::on_resp_hello(TimePoint now, const Identity& own,
                                                const RespHello& hello) {
  Peer* peer = find_session(hello.sidi, own.own.version);
  if (peer == nullptr || peer->own != &own) return fail(Drop::UnknownSession);
  const auto* sent = std::get_if<HelloExchange>(&peer->exchange);
  if (sent == nullptr) return fail(Drop::WrongState);
  if (now - sent->first_sent >= kRejectAfter) return fail(Drop::Stale);  // we slept
  if (!peer->budgets.resp_hello.take(now, kCostOfRespHello)) return fail(Drop::PeerBusy);
  auto step = consume_resp_hello(sent->sent, hello, own, peer->counterpart);
  if (!step) return blame(now, *peer, step.error());

  peer->heard = now;
  learn_kind(*peer, hello.sidr, std::nullopt);
  transmit_own(now, *peer, step->init_conf);
  events.push_back(Pending{peer->id, sent->id, std::move(step->osk), sent->first_sent});
  set_exchange(now, *peer,
               ConfExchange{.id = sent->id,
                            .first_sent = sent->first_sent,
                            .sent = std::move(step->sent),
                            .sidr = hello.sidr,
                            .init_conf = std::move(step->init_conf)},
               "RespHello came");
  update_deadline(*peer);
  return {};
}

Expected<void, Drop> Node::State::on_init_conf(TimePoint now, const Endpoint& from,
                                               const Identity& own, const InitConf& message) {
  const auto biscuit = biscuit_keys.open(
      now, biscuit_additional_data(own.own, message.sidi, message.sidr), message.biscuit_ct);
  if (!biscuit) return fail(Drop::BadBiscuit);
  const auto found = by_pid.find(biscuit->pidi);
  if (found == by_pid.end()) return fail(Drop::UnknownPeer);
  Peer& peer = *find(found->second);
  if (peer.own->own.version != own.own.version) return fail(Drop::UnknownPeer);

  // Its sender has not seen our answer. The same one again, and no second exchange.
  if (peer.accepted && peer.accepted->message == message) {
    if (now - peer.accepted->age_from >= kRejectAfter) return fail(Drop::Stale);
    transmit(peer.id, from, peer.accepted->empty_data);
    return {};
  }
  if (biscuit->number <= peer.biscuits_dead_to) return blame(now, peer, Drop::DeadBiscuit);  // ICR5
  const auto issued_at = biscuits.issued_at(now, biscuit->number);
  if (!issued_at) return blame(now, peer, Drop::Stale);
  auto completed = complete_exchange(*biscuit, message, own, peer.counterpart);
  if (!completed) return blame(now, peer, completed.error());
  peer.biscuits_dead_to = biscuit->number;  // ICR6
  learn_kind(peer, message.sidi, std::nullopt);
  complete_as_responder(now, peer, from, message, *issued_at, *std::move(completed));
  update_deadline(peer);
  return {};
}

Expected<void, Drop> Node::State::on_empty_data(TimePoint now, const Identity& own,
                                                const EmptyData& message) {
  Peer* peer = find_session(message.sid, own.own.version);
  if (peer == nullptr) return fail(Drop::UnknownSession);
  if (peer->given_up && peer->given_up->sidi == message.sid) {
    if (!is_acknowledged(peer->given_up->responder_key, message)) return fail(Drop::BadAuth);
    peer->patience = std::min(peer->patience + 1, kPatienceMost);
    forget_given_up(*peer);
    return fail(Drop::Late);
  }
  const auto* sent = std::get_if<ConfExchange>(&peer->exchange);
  if (sent == nullptr) return fail(Drop::WrongState);
  if (now - sent->first_sent >= kRejectAfter) return fail(Drop::Stale);  // we slept
  if (!is_acknowledged(sent->sent.responder_key, message)) return blame(now, *peer, Drop::BadAuth);
  learn_kind(*peer, sent->sidr, message.counter);
  complete_as_initiator(now, *peer);
  update_deadline(*peer);
  return {};
}

/// Before anything is known but the address, which may be forged.
/// Tells which of the node's budgets pays for the rest.
Expected<WorkBudget*, Drop> Node::State::admit_opening(TimePoint now, const Endpoint& from,
                                                       const Identity& own, const InitHello& hello,
                                                       ByteView datagram) {
  const auto live = live_paths.find(from);
  if (live == live_paths.end()) {
    if (budgets.strangers.take(now, kCostOfOpening)) return &budgets.strangers;
    return admit_by_cookie(now, from, own, hello, datagram);
  }
  if (!live->second.budget.take(now, kCostOfOpening)) return fail(Drop::PeerBusy);
  if (!budgets.paths.take(now, kCostOfOpening)) return fail(Drop::PathsBusy);
  return &budgets.paths;
}

/// Before the other two thirds of the work, now that we know who it is said to be.
Expected<void, Drop> Node::State::admit_answering(TimePoint now, const Endpoint& from, Peer& peer,
                                                  WorkBudget& shared) {
  WorkBudget* own = &peer.budgets.elsewhere;
  if (&shared == &budgets.proven) own = &peer.budgets.proven;
  if (peer.path == from) own = &peer.budgets.path;
  if (!own->take(now, kCostOfAnswering)) return fail(Drop::PeerBusy);
  shared.spend(now, kCostOfAnswering);
  return {};
}

/// Keeps the reason for people to read. Anybody can send what claims to be from this peer.
tl::unexpected<Drop> Node::State::blame(TimePoint now, Peer& peer, Drop reason) {
  peer.counters.last_drop = reason;
  peer.counters.last_drop_at = now;
  return fail(reason);
}

Peer* Node::State::find_session(SessionId sid, Version version) {
  const auto found = by_session.find(sid);
  if (found == by_session.end()) return nullptr;
  Peer* peer = find(found->second);
  return peer->own->own.version == version ? peer : nullptr;
}

}  // namespace trellis::rosenpass
