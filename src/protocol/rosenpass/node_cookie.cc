#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/node_state.h"

#include <functional>
#include <string_view>

/// Cookies: asking strangers for them when there is too much to do, and bringing them when asked.
namespace trellis::rosenpass {

namespace {

/// Who is counted as one: an IPv4 address, or an IPv6 network, for all of it has one owner.
std::size_t neighbourhood(const IpAddress& address) {
  const ByteView name = address.bytes().first(address.is_v4() ? 4 : 8);
  const std::string_view text(reinterpret_cast<const char*>(name.data()), name.size());
  return std::hash<std::string_view>{}(text);
}

}  // namespace

/// An InitHello for which the strangers' budget has nothing left. Who has shown that he receives at
/// his address draws on a budget that forged addresses cannot touch; others are asked to show it.
Expected<WorkBudget*, Drop> Node::State::admit_by_cookie(TimePoint now, const Endpoint& from,
                                                         const Identity& own,
                                                         const InitHello& hello,
                                                         ByteView datagram) {
  if (cookies.verifies(now, from, datagram)) {
    const std::size_t place = neighbourhood(from.address) % budgets.neighbours.size();
    WorkBudget& neighbours = budgets.neighbours[place];
    if (!budgets.proven.affords(now, kCostOfOpening)) return fail(Drop::StrangersBusy);
    if (!neighbours.take(now, kCostOfOpening)) return fail(Drop::StrangersBusy);
    budgets.proven.spend(now, kCostOfOpening);
    return &budgets.proven;
  }
  // Only some peers understand the question; to a node without any of them it is noise.
  if (cookie_peers == 0) return fail(Drop::StrangersBusy);
  if (!budgets.cookie_replies.take(now, kCostOfCookieReply)) return fail(Drop::StrangersBusy);
  if (!own_cookie_key) own_cookie_key = cookie_key(own_key);
  const CookieReply reply = seal_cookie(*own_cookie_key, cookies.value_for(now, from, *random),
                                        hello.sidi, mac_of(datagram), *random);
  transmit(std::nullopt, from, own.layout.write(reply, *random));
  return fail(Drop::CookieAsked);
}

/// Only who saw our message can have sealed it, but nothing tells that it was the peer: it makes us
/// repeat that message, not too often.
Expected<void, Drop> Node::State::on_cookie_reply(TimePoint now, const CookieReply& reply) {
  const auto found = by_session.find(reply.sid);
  if (found == by_session.end()) return fail(Drop::UnknownSession);
  Peer& peer = *find(found->second);
  const ByteVector* sent = nullptr;
  if (const auto* hello = std::get_if<HelloExchange>(&peer.exchange)) {
    if (hello->sent.sidi == reply.sid) sent = &hello->init_hello;
  } else if (const auto* conf = std::get_if<ConfExchange>(&peer.exchange)) {
    if (conf->sent.sidi == reply.sid) sent = &conf->init_conf;
  }
  if (sent == nullptr) return fail(Drop::UnknownSession);
  if (peer.cookie && now - peer.cookie->since < kCookieReplyEvery) return fail(Drop::BadCookie);
  if (!peer.cookie_key) peer.cookie_key = cookie_key(peer.counterpart.key.bytes);
  const auto value = open_cookie(*peer.cookie_key, reply, mac_of(*sent));
  if (!value) return fail(Drop::BadCookie);
  peer.cookie = HeldCookie{*value, now};
  send_again(now, peer);
  return {};
}

/// One of our own exchange's messages, with the cookie that the peer gave us, if it did.
void Node::State::transmit_own(TimePoint now, const Peer& peer, ByteVector message) {
  CHECK(peer.path);
  if (peer.cookie && now - peer.cookie->since < kCookieLife) {
    put_cookie(message, peer.cookie->value);
  }
  transmit(peer.id, *peer.path, std::move(message));
}

}  // namespace trellis::rosenpass
