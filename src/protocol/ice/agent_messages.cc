#include "protocol/ice/agent.h"
#include "protocol/stun/message_writer.h"

#include <algorithm>

namespace trellis::ice {
namespace {

Role other(Role role) { return role == Role::Controlling ? Role::Controlled : Role::Controlling; }

}  // namespace

// ---- the peer's checks -----------------------------------------------------------------------

bool Agent::handle_request(TimePoint now, const Endpoint& from, const stun::Message& request,
                           ByteView datagram) {
  const bool for_us = request.username == config_.local.ufrag + ":" + config_.remote.ufrag;
  if (!for_us) return false;
  if (!stun::integrity_matches(request, datagram, config_.local.password.expose())) {
    ++counters_.not_authentic;
    return false;
  }
  notice_sleep(now);
  ++counters_.checks_received;
  CandidatePair* pair = find(from);
  if (!is_usable(from) || (pair == nullptr && !unknown_.take(now))) {
    ++counters_.not_answered;
    return true;
  }
  if (request.unknown_attribute_count > 0) {
    refuse(from, request, stun::ErrorNumber::UnknownAttribute);
    return true;
  }
  if (!settle_roles(from, request)) return true;
  answer(from, request);
  const auto priority_of_ours =
      candidate_priority(CandidateType::PeerReflexive, socket_preference(from.address.family()));
  if (pair == nullptr) pair = &learn(now, from, request.priority.value_or(priority_of_ours));
  handle_checked(now, *find(from), request.use_candidate);
  run_checks(now);
  return true;
}

/// Both ends may believe that they are controlling, or that they are not: the larger tie-breaker
/// decides. False if the peer has to give way, and was told so. [RFC 8445 7.3.1.1]
bool Agent::settle_roles(const Endpoint& from, const stun::Message& request) {
  const bool controlling = role_ == Role::Controlling;
  const auto theirs = controlling ? request.controlling : request.controlled;
  if (!theirs) return true;
  const bool we_control = tie_breaker_ >= *theirs;
  if (we_control == controlling) {
    refuse(from, request, stun::ErrorNumber::RoleConflict);
    return false;
  }
  set_role(other(role_));
  return true;
}

void Agent::answer(const Endpoint& to, const stun::Message& request) {
  stun::MessageWriter writer(stun::Class::Success, request.transaction);
  writer.add_mapped_address(to);
  transmits_.push_back({to, std::move(writer).finish(config_.local.password.expose())});
}

void Agent::refuse(const Endpoint& to, const stun::Message& request, stun::ErrorNumber why) {
  stun::MessageWriter writer(stun::Class::Error, request.transaction);
  writer.add_error(why);
  if (request.unknown_attribute_count > 0) {
    writer.add_unknown_attributes(
        std::span(request.unknown_attributes).first(request.unknown_attribute_count));
  }
  transmits_.push_back({to, std::move(writer).finish(config_.local.password.expose())});
}

// ---- our checks ------------------------------------------------------------------------------

void Agent::send_check(TimePoint now, CandidatePair& pair) {
  SentCheck check{.transaction = {}, .at = now, .controlling = role_ == Role::Controlling};
  random_.fill(check.transaction);
  std::ranges::copy(config_.transaction_prefix, check.transaction.begin());

  stun::MessageWriter writer(stun::Class::Request, check.transaction);
  writer.add_username(config_.remote.ufrag + ":" + config_.local.ufrag);
  if (check.controlling) {
    if (is_path(pair)) writer.add_use_candidate();
    writer.add_controlling(tie_breaker_);
  } else {
    writer.add_controlled(tie_breaker_);
  }
  const auto family = pair.endpoint().address.family();
  writer.add_priority(candidate_priority(CandidateType::PeerReflexive, socket_preference(family)));
  transmits_.push_back(
      {pair.endpoint(), std::move(writer).finish(config_.remote.password.expose())});
  pair.note_sent(check);
  ++counters_.checks_sent;
}

bool Agent::handle_response(TimePoint now, const Endpoint& from, const stun::Message& response,
                            ByteView datagram) {
  const auto asked = [&](const CandidatePair& pair) {
    return pair.find_sent(response.transaction) != nullptr;
  };
  const auto pair = std::ranges::find_if(pairs_, asked);
  if (pair == pairs_.end()) return false;
  if (!stun::integrity_matches(response, datagram, config_.remote.password.expose())) {
    ++counters_.not_authentic;
    return false;
  }
  notice_sleep(now);
  const SentCheck check = *pair->find_sent(response.transaction);
  pair->forget_sent(response.transaction);
  // An answer from elsewhere does not show that this way works both ways. [RFC 8445 7.2.5.2.1]
  const bool symmetric = from == pair->endpoint();
  if (!symmetric || response.unknown_attribute_count > 0 || now - check.at > kAnswerMost) {
    return true;
  }
  if (response.kind == stun::Class::Error) {
    handle_error(now, *pair, check, response);
  } else {
    ++counters_.answers_received;
    pair->note_answer(now, check);
    handle_answer(now, *pair);
  }
  run_checks(now);
  return true;
}

/// Of all errors only one can be helped: both ends had the same role. [RFC 8445 7.2.5.1]
void Agent::handle_error(TimePoint now, CandidatePair& pair, const SentCheck& check,
                         const stun::Message& response) {
  const bool conflict =
      response.error_code == static_cast<std::uint16_t>(stun::ErrorNumber::RoleConflict);
  if (!conflict || check.controlling != (role_ == Role::Controlling)) return;
  const Endpoint endpoint = pair.endpoint();
  set_role(other(role_));  // sorts the pairs
  CandidatePair* const refused = find(endpoint);
  refused->due = now;
}

}  // namespace trellis::ice
