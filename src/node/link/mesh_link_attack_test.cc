#include "node/link/mesh_link_sim_test.h"
#include "protocol/ice/derived_credentials.h"
#include "protocol/stun/message_writer.h"

#include <gtest/gtest.h>

namespace trellis::link {
namespace {

const Endpoint kAlice = at("192.0.2.1:51820");
const Endpoint kBob = at("198.51.100.2:51820");

/// Answers nothing; counts what comes.
class Silent final : public testing::SimHost {
 public:
  void handle_datagram(TimePoint, const Endpoint&, ByteView datagram) override {
    received.push_back(to_vector(datagram));
  }
  void handle_timeout(TimePoint) override {}
  std::optional<TimePoint> next_timeout() const override { return std::nullopt; }
  std::optional<testing::SimDatagram> poll_transmit() override { return std::nullopt; }

  std::vector<ByteVector> received;
};

/// Two ends with a path, and somebody who sees all that they say.
struct Observed : LinkPair {
  explicit Observed(std::uint64_t seed) : LinkPair(seed) {
    net.set_filter([this](TimePoint, const testing::SimDatagram& datagram) {
      if (datagram.to == kBob) to_bob.push_back(datagram.bytes);
      if (datagram.to == kAlice) to_alice.push_back(datagram.bytes);
      return true;
    });
    start_both();
    net.run_for(1min);
    CHECK(works());
  }

  /// As if it came from `from`; nothing else happens meanwhile.
  bool give(LinkMachine& machine, const Endpoint& from, ByteView datagram) {
    return machine.process().links.handle_stun(net.now(), from, datagram);
  }
  /// What a machine has to send at this instant.
  std::size_t answers_of(LinkMachine& machine) {
    std::size_t count = 0;
    while (machine.process().poll_transmit()) ++count;
    return count;
  }

  std::vector<ByteVector> to_bob;
  std::vector<ByteVector> to_alice;
};

Endpoint stranger(std::uint64_t number) {
  return at("203.0." + std::to_string(number / 250 % 250) + "." + std::to_string(1 + number % 250) +
            ":" + std::to_string(1024 + number % 60000));
}

TEST(Strangers, GetNoAnswerWithoutTheRightPassword) {
  Observed observed(1);
  testing::SeededRandom random(9);
  const std::string ufrag = observed.alice.link().local_credentials().ufrag;
  const std::string theirs = observed.bob.link().local_credentials().ufrag;
  const auto pairs_before = observed.alice.link().candidates().size();
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const std::string names[] = {ufrag + ":" + theirs, ufrag + ":x", "x:" + theirs, ufrag, ""};
    stun::MessageWriter writer(stun::Class::Request, random.bytes<12>());
    writer.add_username(names[i % std::size(names)]);
    writer.add_use_candidate();
    writer.add_priority(0x7fff'ffff);
    writer.add_controlling(random.u64());
    const auto password = random.bytes<32>();
    const bool with_integrity = i % 3 != 0;
    const ByteVector datagram =
        with_integrity ? std::move(writer).finish(password) : std::move(writer).finish();
    EXPECT_FALSE(observed.give(observed.alice, stranger(i), datagram));
  }
  EXPECT_EQ(observed.answers_of(observed.alice), 0U);
  EXPECT_EQ(observed.alice.link().candidates().size(), pairs_before);
  EXPECT_EQ(observed.alice.path(), kBob);
  const auto& counters = observed.alice.process().links.counters();
  EXPECT_GT(counters.not_looked_at, 0U) << "an HMAC for each would be too much work";
  observed.net.run_for(1min);
  EXPECT_TRUE(observed.works()) << "who is known is looked at all the same";
}

TEST(Strangers, CannotAnswerForThePeer) {
  Observed observed(2);
  // Alice asks Bob, who is gone; somebody answers in his place, with everything but the password.
  observed.bob.crash();
  observed.to_bob.clear();
  ASSERT_TRUE(observed.net.run_until(20s, [&] { return !observed.to_bob.empty(); }));
  const auto request = stun::parse(observed.to_bob.back());
  ASSERT_TRUE(request);
  for (const Endpoint& from : {kBob, stranger(1)}) {
    stun::MessageWriter writer(stun::Class::Success, request->transaction);
    writer.add_mapped_address(kAlice);
    EXPECT_FALSE(observed.give(observed.alice, from, std::move(writer).finish(as_bytes("guess"))));
    stun::MessageWriter refusal(stun::Class::Error, request->transaction);
    refusal.add_error(stun::ErrorNumber::RoleConflict);
    EXPECT_FALSE(observed.give(observed.alice, from, std::move(refusal).finish()));
  }
  EXPECT_TRUE(observed.net.run_until(20s, [&] { return !observed.alice.path(); }));
}

TEST(Strangers, AnAnswerFromElsewhereProvesNothing) {
  Observed observed(3);
  std::optional<ByteVector> answer;  // Bob's own, held back
  observed.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    const auto message = stun::parse(datagram.bytes);
    const bool held = datagram.to == kAlice && message && message->kind == stun::Class::Success;
    if (held && !answer) answer = datagram.bytes;
    return !held;
  });
  ASSERT_TRUE(observed.net.run_until(5s, [&] { return answer.has_value(); }));
  const auto before = observed.alice.link().counters().answers_received;
  EXPECT_TRUE(observed.give(observed.alice, stranger(5), *answer)) << "it is authentic";
  EXPECT_EQ(observed.alice.link().counters().answers_received, before);
  EXPECT_EQ(observed.alice.path(), kBob);
  EXPECT_FALSE(observed.give(observed.alice, kBob, *answer)) << "its check is spent";
}

TEST(Replays, FromAnotherAddressDoNotMoveThePath) {
  Observed observed(4);
  Silent attacker;
  const Endpoint at_attacker = stranger(7);
  observed.net.attach(at_attacker, attacker);
  const auto checks_of_alice = observed.to_bob;  // with USE-CANDIDATE, as she controls
  const auto checks_of_bob = observed.to_alice;
  for (int round = 0; round < 100; ++round) {
    for (const ByteVector& check : checks_of_alice) {
      observed.net.inject({at_attacker, kBob, check});
    }
    for (const ByteVector& check : checks_of_bob) {
      observed.net.inject({at_attacker, kAlice, check});
    }
    observed.net.run_for(100ms);
    ASSERT_EQ(observed.alice.path(), kBob);
    ASSERT_EQ(observed.bob.path(), kAlice);
  }
  EXPECT_TRUE(observed.works());
  EXPECT_EQ(observed.alice.process().events.size(), 1U);
  EXPECT_EQ(observed.bob.process().events.size(), 1U);
  EXPECT_GT(attacker.received.size(), 0U) << "it is checked, and never answers";
}

TEST(Replays, FromManyAddressesCostBoundedWorkAndMemory) {
  Observed observed(5);
  const auto checks = observed.to_bob;
  const auto sent_before = observed.net.counters().sent;
  std::uint64_t number = 0;
  for (int round = 0; round < 100; ++round) {  // ten seconds, 10,000 a second
    for (int i = 0; i < 1000; ++i) {
      observed.net.inject({stranger(number), kBob, checks[number % checks.size()]});
      ++number;
    }
    observed.net.run_for(100ms);
    ASSERT_EQ(observed.bob.path(), kAlice);
    ASSERT_LE(observed.bob.link().candidates().size(), 1U + 8U);
  }
  // Answers to 20 a second, and checks of 8 addresses that are not there.
  EXPECT_LE(observed.net.counters().sent - sent_before, 10U * (20 + 80 + 10) + 100U);
  EXPECT_TRUE(observed.works());
  observed.net.run_for(3min);
  EXPECT_LE(observed.bob.link().candidates().size(), 1U + 8U);
}

TEST(Replays, OfAnswersAreIgnored) {
  Observed observed(6);
  const auto answers = observed.to_alice;
  const auto before = observed.alice.link().counters().answers_received;
  for (const ByteVector& datagram : answers) {
    const auto message = stun::parse(datagram);
    if (message && message->kind == stun::Class::Success) {
      EXPECT_FALSE(observed.give(observed.alice, kBob, datagram));
    }
  }
  EXPECT_EQ(observed.alice.link().counters().answers_received, before);
}

TEST(Replays, AtOneInstantFromManyAddressesAreHarmless) {
  Observed observed(7);
  const ByteVector check = observed.to_bob.front();
  for (std::uint64_t i = 0; i < 100; ++i) (void)observed.give(observed.bob, stranger(i), check);
  EXPECT_LE(observed.bob.link().candidates().size(), 1U + 8U);
  EXPECT_LE(observed.answers_of(observed.bob), 20U + 8U);
}

/// A peer that knows the password may still say anything.
TEST(Peers, MayNotMakeUsCheckWhatIsExcluded) {
  Observed observed(8);
  const ByteVector check = observed.to_bob.front();
  for (const char* text : {"127.0.0.1:53", "100.64.0.9:51820", "224.0.0.1:5353", "169.254.1.1:1"}) {
    EXPECT_TRUE(observed.give(observed.bob, at(text), check)) << "authentic, but";
  }
  EXPECT_EQ(observed.answers_of(observed.bob), 0U);
  EXPECT_EQ(observed.bob.link().candidates().size(), 1U);
}

}  // namespace
}  // namespace trellis::link
