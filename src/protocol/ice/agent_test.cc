#include "protocol/ice/agent.h"

#include "base/hex.h"
#include "crypto/hash.h"
#include "protocol/stun/message_writer.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace trellis::ice {
namespace {

const Endpoint kOurs = *Endpoint::parse("192.0.2.1:51820");
const Endpoint kTheirs = *Endpoint::parse("198.51.100.2:51820");
const Endpoint kTheirs6 = *Endpoint::parse("[2001:db8::2]:51820");
constexpr const char* kOurUfrag = "jwkcrnimqqmurevk";
constexpr const char* kOurPassword = "kebreazwwljehenwrqlqtigplbranlaa";
constexpr const char* kTheirUfrag = "KEDFnpJphdiOsdmv";
constexpr const char* kTheirPassword = "jvduIjqrFfRwFvlgqbDMKySTIpJsUMpp";

Credentials credentials(const char* ufrag, const char* password) {
  return {ufrag, SecretBuffer(as_bytes(password))};
}

/// An agent, and a hand that plays its peer.
class Played : public ::testing::Test {
 protected:
  void start(Role role) {
    agent.emplace(now,
                  Agent::Config{.local = credentials(kOurUfrag, kOurPassword),
                                .remote = credentials(kTheirUfrag, kTheirPassword),
                                .role = role,
                                .transaction_prefix = {},
                                .usable = {}},
                  random);
    agent->set_remote_candidates(now, host_candidates({{kTheirs}}));
  }

  stun::MessageWriter request(std::uint8_t number) {
    stun::MessageWriter writer(stun::Class::Request, {std::byte{number}});
    writer.add_username(std::string(kOurUfrag) + ":" + kTheirUfrag);
    writer.add_priority(candidate_priority(CandidateType::PeerReflexive, 65535));
    return writer;
  }
  bool give(const Endpoint& from, ByteVector datagram) {
    const auto message = stun::parse(datagram);
    CHECK(message.has_value());
    return agent->handle_message(now, from, *message, datagram);
  }
  bool give_request(const Endpoint& from, stun::MessageWriter writer) {
    return give(from, std::move(writer).finish(as_bytes(kOurPassword)));
  }
  ByteVector answer_to(const stun::Message& check) {
    stun::MessageWriter writer(stun::Class::Success, check.transaction);
    writer.add_mapped_address(kOurs);
    return std::move(writer).finish(as_bytes(kTheirPassword));
  }

  struct Sent {
    Endpoint to;
    ByteVector bytes;
    stun::Message message;
  };
  std::optional<Sent> next_sent() {
    auto transmit = agent->poll_transmit();
    if (!transmit) return std::nullopt;
    Sent sent{transmit->to, std::move(transmit->bytes), {}};
    sent.message = *stun::parse(sent.bytes);
    return sent;
  }
  std::optional<Sent> next_check() {
    while (auto sent = next_sent()) {
      if (sent->message.kind == stun::Class::Request) return sent;
    }
    return std::nullopt;
  }
  void wait(Duration time) {
    const TimePoint end = now + time;
    for (auto due = agent->next_timeout(); due && *due <= end; due = agent->next_timeout()) {
      now = std::max(now, *due);
      agent->handle_timeout(now);
    }
    now = end;
  }

  TimePoint now{1h};
  testing::SeededRandom random{1};
  std::optional<Agent> agent;
};

TEST_F(Played, AsksAsTheRfcSays) {
  start(Role::Controlling);
  const auto check = next_sent();
  ASSERT_TRUE(check);
  EXPECT_EQ(check->to, kTheirs);
  EXPECT_EQ(check->message.username, std::string(kTheirUfrag) + ":" + kOurUfrag);
  EXPECT_TRUE(check->message.controlling);
  EXPECT_FALSE(check->message.controlled);
  EXPECT_FALSE(check->message.use_candidate) << "it has not answered yet";
  EXPECT_EQ(check->message.priority, candidate_priority(CandidateType::PeerReflexive, 65534));
  EXPECT_TRUE(check->message.has_fingerprint);
  EXPECT_TRUE(stun::integrity_matches(check->message, check->bytes, as_bytes(kTheirPassword)));
  EXPECT_FALSE(next_sent());
}

TEST_F(Played, SaysWhatItDoesNotUnderstand) {
  start(Role::Controlled);
  constexpr std::size_t kHeaderBytes = 20;
  constexpr std::size_t kFingerprintBytes = 8;
  constexpr std::size_t kIntegrityBytes = 24;
  ByteVector datagram = request(1).finish();
  datagram.resize(datagram.size() - kFingerprintBytes);
  append(datagram, *from_hex("7001000477686174"));  // type 0x7001, four bytes
  datagram[3] = static_cast<std::byte>(datagram.size() + kIntegrityBytes - kHeaderBytes);
  const Bytes<20> integrity = crypto::hmac_sha1(as_bytes(kOurPassword), {datagram});
  append(datagram, *from_hex("00080014"));
  append(datagram, integrity);
  while (next_sent()) {
  }
  EXPECT_TRUE(give(kTheirs, datagram));
  const auto answer = next_sent();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->message.kind, stun::Class::Error);
  EXPECT_EQ(answer->message.error_code, 420);
  EXPECT_EQ(answer->message.transaction, (stun::TransactionId{std::byte{1}}));
  EXPECT_TRUE(stun::integrity_matches(answer->message, answer->bytes, as_bytes(kOurPassword)));
  const ByteVector list = *from_hex("000a00027001");  // UNKNOWN-ATTRIBUTES [RFC 8489 14.9]
  EXPECT_NE(std::search(answer->bytes.begin(), answer->bytes.end(), list.begin(), list.end()),
            answer->bytes.end());
  EXPECT_FALSE(next_sent()) << "and that is all that comes of it";
}

TEST_F(Played, NominatesWhatHasAnswered) {
  start(Role::Controlling);
  ASSERT_TRUE(give(kTheirs, answer_to(next_check()->message)));
  ASSERT_TRUE(agent->selected());
  EXPECT_EQ(agent->selected()->endpoint(), kTheirs);
  const auto nomination = next_check();
  ASSERT_TRUE(nomination);
  EXPECT_TRUE(nomination->message.use_candidate);
}

TEST_F(Played, ASecondAnswerToOneCheckIsDroppedQuietly) {
  start(Role::Controlling);
  const ByteVector answer = answer_to(next_check()->message);
  EXPECT_TRUE(give(kTheirs, answer));
  EXPECT_FALSE(give(kTheirs, answer));
  EXPECT_EQ(agent->counters().answers_received, 1U);
  EXPECT_TRUE(agent->selected());
}

TEST_F(Played, AnswersAsTheRfcSays) {
  start(Role::Controlled);
  while (next_sent()) continue;
  auto writer = request(1);
  writer.add_controlling(7);
  ASSERT_TRUE(give_request(kTheirs, std::move(writer)));
  const auto answer = next_sent();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->to, kTheirs);
  EXPECT_EQ(answer->message.kind, stun::Class::Success);
  EXPECT_EQ(answer->message.transaction, stun::TransactionId{std::byte{1}});
  EXPECT_EQ(answer->message.mapped_address, kTheirs);
  EXPECT_TRUE(stun::integrity_matches(answer->message, answer->bytes, as_bytes(kOurPassword)));
}

TEST_F(Played, ACheckFromAnUnknownAddressIsAnsweredAndChecked) {
  start(Role::Controlled);
  while (next_sent()) continue;
  auto writer = request(1);
  writer.add_controlling(7);
  ASSERT_TRUE(give_request(kTheirs6, std::move(writer)));
  EXPECT_EQ(next_sent()->message.kind, stun::Class::Success);
  const auto check = next_check();
  ASSERT_TRUE(check);
  EXPECT_EQ(check->to, kTheirs6);
  EXPECT_FALSE(agent->selected()) << "until it has answered";
  ASSERT_TRUE(give(kTheirs6, answer_to(check->message)));
  EXPECT_EQ(agent->selected()->endpoint(), kTheirs6);
  EXPECT_EQ(agent->selected()->remote.type, CandidateType::PeerReflexive);
}

TEST_F(Played, TheControlledEndGoesWhereItIsTold) {
  start(Role::Controlled);
  agent->set_remote_candidates(now, host_candidates({{kTheirs, kTheirs6}}));
  std::map<Endpoint, Sent> checks;
  wait(20ms);
  while (auto check = next_check()) checks.insert_or_assign(check->to, *check);
  ASSERT_TRUE(give(kTheirs6, answer_to(checks.at(kTheirs6).message)));
  ASSERT_TRUE(give(kTheirs, answer_to(checks.at(kTheirs).message)));
  EXPECT_EQ(agent->selected()->endpoint(), kTheirs6) << "the first that answers";
  // Regular nomination, of the other one, some time after.
  wait(400ms);
  auto writer = request(9);
  writer.add_controlling(7);
  writer.add_use_candidate();
  ASSERT_TRUE(give_request(kTheirs, std::move(writer)));
  EXPECT_EQ(agent->selected()->endpoint(), kTheirs);
}

TEST_F(Played, TheControllingEndIgnoresNominations) {
  start(Role::Controlling);
  ASSERT_TRUE(give(kTheirs, answer_to(next_check()->message)));
  auto writer = request(9);
  writer.add_controlled(0);
  writer.add_use_candidate();
  ASSERT_TRUE(give_request(kTheirs6, std::move(writer)));
  EXPECT_EQ(agent->selected()->endpoint(), kTheirs);
}

TEST_F(Played, OfTwoThatControlTheOneWithTheSmallerNumberGivesWay) {
  start(Role::Controlling);
  auto smaller = request(1);
  smaller.add_controlling(0);
  while (next_sent()) continue;
  ASSERT_TRUE(give_request(kTheirs, std::move(smaller)));
  EXPECT_EQ(next_sent()->message.error_code, 487);
  EXPECT_EQ(agent->role(), Role::Controlling);
  auto larger = request(2);
  larger.add_controlling(~std::uint64_t{0});
  ASSERT_TRUE(give_request(kTheirs, std::move(larger)));
  EXPECT_EQ(next_sent()->message.kind, stun::Class::Success);
  EXPECT_EQ(agent->role(), Role::Controlled);
}

TEST_F(Played, OfTwoThatDoNotControlTheOneWithTheLargerNumberBegins) {
  start(Role::Controlled);
  auto larger = request(1);
  larger.add_controlled(~std::uint64_t{0});
  while (next_sent()) continue;
  ASSERT_TRUE(give_request(kTheirs, std::move(larger)));
  EXPECT_EQ(next_sent()->message.error_code, 487);
  EXPECT_EQ(agent->role(), Role::Controlled);
  auto smaller = request(2);
  smaller.add_controlled(0);
  ASSERT_TRUE(give_request(kTheirs, std::move(smaller)));
  EXPECT_EQ(agent->role(), Role::Controlling);
}

TEST_F(Played, GivesWayWhenToldSo) {
  start(Role::Controlling);
  const auto check = next_check();
  stun::MessageWriter writer(stun::Class::Error, check->message.transaction);
  writer.add_error(stun::ErrorNumber::RoleConflict);
  ASSERT_TRUE(give(kTheirs, std::move(writer).finish(as_bytes(kTheirPassword))));
  EXPECT_EQ(agent->role(), Role::Controlled);
  const auto again = next_check();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->message.controlled);
}

TEST_F(Played, OtherErrorsAreNoAnswer) {
  start(Role::Controlling);
  const auto check = next_check();
  stun::MessageWriter writer(stun::Class::Error, check->message.transaction);
  writer.add_error(stun::ErrorNumber::BadRequest);
  ASSERT_TRUE(give(kTheirs, std::move(writer).finish(as_bytes(kTheirPassword))));
  EXPECT_EQ(agent->role(), Role::Controlling);
  EXPECT_FALSE(agent->selected());
}

TEST_F(Played, RequestsForSomebodyElseHaveNoAnswer) {
  start(Role::Controlled);
  while (next_sent()) continue;
  const std::string names[] = {std::string(kOurUfrag) + ":other", std::string(kTheirUfrag) + ":x",
                               std::string(kOurUfrag), ""};
  for (const std::string& name : names) {
    stun::MessageWriter writer(stun::Class::Request, {});
    writer.add_username(name);
    EXPECT_FALSE(give_request(kTheirs, std::move(writer))) << name;
  }
  stun::MessageWriter nameless(stun::Class::Request, {});
  EXPECT_FALSE(give_request(kTheirs, std::move(nameless)));
  EXPECT_FALSE(give(kTheirs, request(1).finish(as_bytes(kTheirPassword)))) << "the other's key";
  EXPECT_FALSE(next_sent());
}

TEST_F(Played, IndicationsAreIgnored) {
  start(Role::Controlled);
  stun::MessageWriter writer(stun::Class::Indication, {});
  EXPECT_FALSE(give(kTheirs, std::move(writer).finish(as_bytes(kOurPassword))));
}

TEST_F(Played, RepeatsAnUnansweredCheckUnderANewTransaction) {
  start(Role::Controlling);
  const auto first = next_check();
  EXPECT_FALSE(next_check());
  wait(130ms);
  const auto second = next_check();
  ASSERT_TRUE(second);
  EXPECT_NE(second->message.transaction, first->message.transaction);
  EXPECT_TRUE(give(kTheirs, answer_to(first->message))) << "late is better than never";
  EXPECT_EQ(agent->selected()->round_trip, 130ms);
}

TEST_F(Played, ALateAnswerHasNoValue) {
  start(Role::Controlling);
  const auto first = next_check();
  now += 5001ms;
  ASSERT_TRUE(give(kTheirs, answer_to(first->message)));
  EXPECT_FALSE(agent->selected());
}

}  // namespace
}  // namespace trellis::ice
