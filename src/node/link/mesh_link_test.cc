#include "node/link/mesh_link.h"

#include "node/link/mesh_link_sim_test.h"

#include <gtest/gtest.h>

namespace trellis::link {
namespace {

const Endpoint kAlice4 = at("192.0.2.1:51820");
const Endpoint kAlice6 = at("[2001:db8:a::1]:51820");
const Endpoint kBob4 = at("198.51.100.2:51820");
const Endpoint kBob6 = at("[2001:db8:b::2]:51820");
const Endpoint kElsewhere = at("203.0.113.77:51820");
constexpr Duration kRoundTrip = 20ms;  // of LinkPair, if nothing else is said

TEST(MeshLink, HasAPathOneRoundTripAfterBothKnowWhereToLook) {
  LinkPair pair(1);
  pair.start_both();
  EXPECT_EQ(pair.time_to_path(1s), kRoundTrip);
  EXPECT_EQ(pair.alice.path(), kBob4);
  EXPECT_EQ(pair.bob.path(), kAlice4);
  const PathStatus status = pair.alice.link().status();
  EXPECT_EQ(status.kind, "direct");
  EXPECT_EQ(status.candidate, "host");
  EXPECT_EQ(status.rtt, kRoundTrip);
  EXPECT_EQ(status.since, pair.net.now());
}

TEST(MeshLink, TellsOfItsPathAndOfItsEnd) {
  LinkPair pair(1);
  pair.start_both();
  ASSERT_TRUE(pair.works_within(1s));
  pair.net.run_for(10s);
  auto& events = pair.alice.process().events;
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<PathChanged>(events[0]).path, kBob4);
  pair.bob.crash();
  pair.net.run_for(9s);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<PathLost>(events[1]));
  EXPECT_FALSE(pair.alice.path());
  EXPECT_EQ(pair.alice.link().status().kind, "none");
}

TEST(MeshLink, ASilentPathIsLostAfterSixSeconds) {
  LinkPair pair(2);
  pair.start_both();
  ASSERT_TRUE(pair.works_within(1s));
  pair.net.run_for(1min);
  pair.bob.crash();
  const TimePoint crashed = pair.net.now();
  ASSERT_TRUE(pair.net.run_until(20s, [&] { return !pair.alice.path(); }));
  EXPECT_LE(pair.net.now() - crashed, 6s + 200ms);
  EXPECT_GE(pair.net.now() - crashed, 3s);
}

TEST(MeshLink, OneEndMayStartLongAfterTheOther) {
  for (const Duration later : {Duration(3s), Duration(100s), Duration(30min)}) {
    LinkPair pair(3);
    pair.exchange_candidates();
    pair.alice.start();
    pair.net.run_for(later);
    pair.bob.start();
    EXPECT_LE(pair.time_to_path(1s), kRoundTrip * 3 / 2);
  }
}

TEST(MeshLink, ItIsEnoughThatOneEndKnowsWhereToLook) {
  LinkPair pair(4);
  pair.alice.learn(pair.bob.candidates());
  pair.bob.start();
  pair.net.run_for(1min);
  pair.alice.start();
  EXPECT_LE(pair.time_to_path(1s), kRoundTrip * 3 / 2);
  EXPECT_EQ(pair.bob.link().status().candidate, "prflx");
  // What it has learned gets its proper name when the offer comes, and nothing moves.
  pair.bob.learn(pair.alice.candidates());
  EXPECT_EQ(pair.bob.link().status().candidate, "host");
  EXPECT_EQ(pair.bob.process().events.size(), 1U);
}

TEST(MeshLink, ARestartOfOneEndCostsARoundTrip) {
  for (const bool alice_restarts : {true, false}) {
    LinkPair pair(5);
    pair.start_both();
    pair.net.run_for(1min);
    LinkMachine& restarts = alice_restarts ? pair.alice : pair.bob;
    LinkMachine& stays = alice_restarts ? pair.bob : pair.alice;
    restarts.crash();
    pair.net.run_for(300ms);
    restarts.start();
    EXPECT_EQ(pair.time_to_path(1s), kRoundTrip);
    EXPECT_EQ(stays.process().events.size(), 1U) << "the other end has noticed nothing";
  }
}

TEST(MeshLink, ARestartAfterAnHourCostsARoundTripAndAHalf) {
  LinkPair pair(6);
  pair.start_both();
  pair.net.run_for(10s);
  pair.bob.crash();
  pair.net.run_for(1h);
  pair.bob.start();
  EXPECT_LE(pair.time_to_path(1s), kRoundTrip * 3 / 2);
}

TEST(MeshLink, RestartsOfBothCostARoundTripAfterTheLast) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    LinkPair pair(seed);
    pair.start_both();
    pair.net.run_for(20s);
    pair.alice.crash();
    pair.bob.crash();
    const auto pause = [&] { return std::chrono::milliseconds(pair.random.below(3000)); };
    pair.net.run_for(pause());
    pair.alice.start();
    pair.net.run_for(pause());
    pair.bob.start();
    EXPECT_LE(pair.time_to_path(1s), kRoundTrip * 3 / 2);
  }
}

TEST(MeshLink, PrefersIpv6AndTakesIpv4WhereThatIsAllThereIs) {
  struct Case {
    const char* name;
    std::vector<Endpoint> alice;
    std::vector<Endpoint> bob;
    Endpoint path_of_alice;
  };
  const Case cases[] = {
      {"IPv4 only", {kAlice4}, {kBob4}, kBob4},
      {"IPv6 only", {kAlice6}, {kBob6}, kBob6},
      {"both have both", {kAlice4, kAlice6}, {kBob4, kBob6}, kBob6},
      {"one has both", {kAlice4, kAlice6}, {kBob4}, kBob4},
      {"one has both, the other IPv6", {kAlice4, kAlice6}, {kBob6}, kBob6},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    LinkPair pair(7);
    pair.alice.set_addresses(c.alice);
    pair.bob.set_addresses(c.bob);
    pair.start_both();
    EXPECT_LE(pair.time_to_path(1s), kRoundTrip + 5ms);
    pair.net.run_for(1s);
    EXPECT_EQ(pair.alice.path(), c.path_of_alice);
    EXPECT_TRUE(pair.works());
  }
}

TEST(MeshLink, BothEndsComeToUseTheSamePath) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    LinkPair pair(seed, {.delay = 10ms, .jitter = 30ms, .loss = 0.2});
    pair.alice.set_addresses({kAlice4, kAlice6});
    pair.bob.set_addresses({kBob4, kBob6});
    pair.start_both();
    pair.net.run_for(30s);
    EXPECT_EQ(pair.alice.path(), kBob6);
    EXPECT_EQ(pair.bob.path(), kAlice6);
  }
}

TEST(MeshLink, ReturnsToTheBetterPathWhenThatWorksAgain) {
  LinkPair pair(8);
  pair.alice.set_addresses({kAlice4, kAlice6});
  pair.bob.set_addresses({kBob4, kBob6});
  pair.block(kAlice6, kBob6);
  pair.start_both();
  ASSERT_TRUE(pair.works_within(1s));
  EXPECT_EQ(pair.alice.path(), kBob4);
  pair.net.run_for(10min);
  pair.blocked.clear();
  pair.net.run_for(75s);
  EXPECT_EQ(pair.alice.path(), kBob6);
  EXPECT_EQ(pair.bob.path(), kAlice6);
}

TEST(MeshLink, FailsOverToAnotherPathInSecondsNotAfterSilence) {
  LinkPair pair(9);
  pair.alice.set_addresses({kAlice4, kAlice6});
  pair.bob.set_addresses({kBob4, kBob6});
  pair.start_both();
  pair.net.run_for(1min);
  ASSERT_EQ(pair.alice.path(), kBob6);
  pair.block(kAlice6, kBob6);
  EXPECT_LE(pair.time_to_path(10s), 3s);
  EXPECT_EQ(pair.alice.path(), kBob4);
}

TEST(MeshLink, FindsTheOneLivingAddressAmongManyDeadOnes) {
  LinkPair pair(10);
  std::vector<Endpoint> many;
  for (int i = 1; i <= 31; ++i) many.push_back(at("203.0.113." + std::to_string(i) + ":51820"));
  many.push_back(kBob4);
  pair.alice.learn(ice::host_candidates(many));
  pair.alice.start();
  pair.bob.start();
  EXPECT_LE(pair.time_to_path(1s), kRoundTrip * 3 / 2 + 32 * 5ms);
}

// ---- addresses that change -------------------------------------------------------------------

TEST(MeshLink, FollowsAPeerThatMovesWithoutAWord) {
  for (const bool alice_moves : {true, false}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(seed);
      LinkPair pair(seed);
      pair.start_both();
      pair.net.run_for(1min + std::chrono::milliseconds(pair.random.below(2000)));
      LinkMachine& moves = alice_moves ? pair.alice : pair.bob;
      moves.set_addresses({kElsewhere});
      EXPECT_LE(pair.time_to_path(10s), 2400ms + 600ms);
      moves.set_addresses({at("203.0.113.78:4711")});
      EXPECT_LE(pair.time_to_path(10s), 2400ms + 600ms);
    }
  }
}

TEST(MeshLink, FollowsAtOnceIfTheMoverNotices) {
  for (const bool alice_moves : {true, false}) {
    LinkPair pair(11);
    pair.start_both();
    pair.net.run_for(1min);
    LinkMachine& moves = alice_moves ? pair.alice : pair.bob;
    moves.set_addresses({kElsewhere});
    moves.restart_link();
    EXPECT_LE(pair.time_to_path(10s), alice_moves ? kRoundTrip * 2 : 500ms);
  }
}

TEST(MeshLink, FollowsWhenTheNewAddressIsOffered) {
  LinkPair pair(12);
  pair.start_both();
  pair.net.run_for(1min);
  pair.bob.set_addresses({kElsewhere});
  pair.net.run_for(100ms);
  pair.alice.learn(pair.bob.candidates());
  EXPECT_LE(pair.time_to_path(10s), 3s);
  EXPECT_EQ(pair.alice.link().status().candidate, "host");
}

TEST(MeshLink, ChecksWhereWireGuardHasHeardThePeer) {
  LinkPair pair(13);
  pair.start_both();
  pair.net.run_for(1min);
  pair.bob.set_addresses({kElsewhere});
  pair.alice.link().heard_from(pair.net.now(), kElsewhere);
  EXPECT_EQ(pair.alice.path(), kBob4) << "hearing alone moves nothing";
  pair.net.flush();
  EXPECT_LE(pair.time_to_path(10s), 500ms);
}

TEST(MeshLink, BothMayMoveIfOneOffersItsNewAddress) {
  LinkPair pair(14);
  pair.start_both();
  pair.net.run_for(1min);
  pair.alice.set_addresses({kElsewhere});
  pair.bob.set_addresses({at("203.0.113.99:51820")});
  pair.net.run_for(8s);
  EXPECT_FALSE(pair.works());
  pair.alice.learn(pair.bob.candidates());
  EXPECT_LE(pair.time_to_path(10s), kRoundTrip * 3 / 2);
}

// ---- time ------------------------------------------------------------------------------------

TEST(MeshLink, ASleepOfTenMinutesDoesNotEndThePath) {
  for (const bool alice_sleeps : {true, false}) {
    LinkPair pair(15);
    pair.start_both();
    pair.net.run_for(1min);
    LinkMachine& sleeper = alice_sleeps ? pair.alice : pair.bob;
    sleeper.suspend(10min);
    pair.net.run_for(10min - 1ms);
    EXPECT_FALSE((alice_sleeps ? pair.bob : pair.alice).path()) << "who is awake has noticed";
    EXPECT_LE(pair.time_to_path(1s), kRoundTrip * 3 / 2 + 1ms);
    EXPECT_EQ(sleeper.process().events.size(), 1U) << "who slept never lost it";
  }
}

TEST(MeshLink, ASleepOfBothDoesNotEndThePath) {
  LinkPair pair(16);
  pair.start_both();
  pair.net.run_for(1min);
  pair.alice.suspend(10min);
  pair.bob.suspend(10min);
  pair.net.run_for(10min + 1s);
  EXPECT_TRUE(pair.works());
  EXPECT_EQ(pair.alice.process().events.size(), 1U);
  EXPECT_EQ(pair.bob.process().events.size(), 1U);
}

TEST(MeshLink, ALivePathCostsACheckEveryTwoSecondsFromEachEnd) {
  LinkPair pair(17);
  pair.start_both();
  pair.net.run_for(1min);
  const auto before = pair.net.counters().sent;
  pair.net.run_for(1h);
  const auto per_second = static_cast<double>(pair.net.counters().sent - before) / 3600;
  EXPECT_LE(per_second, 2.1) << "a check and an answer, from each end, every two seconds";
  EXPECT_GE(per_second, 1.9);
}

TEST(MeshLink, ASearchInVainBecomesRareAndARestartWakesIt) {
  LinkPair pair(18);
  pair.alice.learn(pair.bob.candidates());
  pair.alice.start();
  const auto checks_in = [&](Duration time) {
    const auto before = pair.net.counters().sent;
    pair.net.run_for(time);
    return pair.net.counters().sent - before;
  };
  EXPECT_GE(checks_in(10s), 18U);
  pair.net.run_for(30min);
  EXPECT_LE(checks_in(100s), 13U);
  EXPECT_GE(checks_in(100s), 8U);
  pair.alice.restart_link();
  EXPECT_GE(checks_in(10s), 18U);
}

// ---- bounds ----------------------------------------------------------------------------------

TEST(MeshLink, RemembersNoMoreAddressesThanItMay) {
  LinkPair pair(19);
  std::vector<ice::Candidate> many;
  for (int i = 0; i < 200; ++i) {
    const Endpoint endpoint = at("203.0.113." + std::to_string(1 + i) + ":51820");
    many.push_back(ice::host_candidates({{endpoint}}).front());
  }
  pair.alice.learn(many);
  pair.alice.start();
  pair.net.run_for(1s);
  EXPECT_EQ(pair.alice.link().candidates().size(), 32U);
  pair.alice.learn(pair.bob.candidates());
  EXPECT_LE(pair.alice.link().candidates().size(), 1U) << "dead ones that are not named any more";
}

TEST(MeshLink, NeverChecksWhatRuleNineExcludes) {
  LinkPair pair(20);
  std::vector<ice::Candidate> bad;
  for (const char* text :
       {"127.0.0.1:1", "224.0.0.1:1", "255.255.255.255:1", "0.0.0.0:1", "169.254.0.1:1",
        "100.64.0.9:1", "[::1]:1", "[ff02::1]:1", "[fe80::1]:1"}) {
    bad.push_back({"1", 1, at(text), ice::CandidateType::Host, std::nullopt});
  }
  pair.alice.learn(bad);
  pair.alice.start();
  pair.net.run_for(10s);
  EXPECT_EQ(pair.net.counters().sent, 0U);
}

TEST(MeshLinks, RefuseASecondLinkAndKeysThatNobodyHolds) {
  testing::SeededRandom random(1);
  const auto own = crypto::generate_private_key(random);
  const auto own_public = crypto::public_key(own);
  const auto peer = crypto::public_key(crypto::generate_private_key(random));
  MeshLinks links;
  const auto add = [&](const crypto::PublicKey& key) {
    return links.add(TimePoint{1h}, own, {.own = own_public, .peer = key, .overlay = {}}, random);
  };
  auto link = add(peer);
  EXPECT_TRUE(link);
  EXPECT_FALSE(add(peer));
  EXPECT_FALSE(add(own_public));
  EXPECT_FALSE(add(crypto::PublicKey{}));
  link.reset();
  EXPECT_TRUE(add(peer)) << "the first one is gone";
}

TEST(MeshLinks, MayDieBeforeTheirLinks) {
  testing::SeededRandom random(2);
  const auto own = crypto::generate_private_key(random);
  const auto peer = crypto::public_key(crypto::generate_private_key(random));
  auto links = std::make_unique<MeshLinks>();
  auto link = links->add(TimePoint{1h}, own,
                         {.own = crypto::public_key(own), .peer = peer, .overlay = {}}, random);
  links.reset();
  link->restart(TimePoint{1h});
  EXPECT_FALSE(link->poll_event());
}

}  // namespace
}  // namespace trellis::link
