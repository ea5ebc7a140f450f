#include "protocol/rosenpass/node.h"

#include "protocol/rosenpass/admission.h"
#include "protocol/rosenpass/constants.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

namespace trellis::rosenpass {
namespace {

/// Real, and small: half a megabyte of key would make ten thousand runs long.
const crypto::Suite& small_suite() {
  static const crypto::Suite suite{0, "test", &crypto::kyber512_round3(),
                                   &crypto::kyber512_round3()};
  return suite;
}

const Endpoint kFirst = *Endpoint::parse("192.0.2.1:1001");
const Endpoint kSecond = *Endpoint::parse("192.0.2.2:1002");
const Endpoint kStranger = *Endpoint::parse("203.0.113.9:999");

bool is(MessageType type, ByteView datagram) {
  return !datagram.empty() && datagram[0] == static_cast<std::byte>(type);
}

/// How many seeds to try. TRELLIS_TEST_SEEDS sets another number, for a long run.
std::uint64_t seeds(std::uint64_t usual) {
  const char* wanted = std::getenv("TRELLIS_TEST_SEEDS");
  return wanted == nullptr ? usual : std::strtoull(wanted, nullptr, 10);
}

/// Two key pairs, the one with the larger pid first if asked for.
struct TwoKeys {
  explicit TwoKeys(const crypto::Suite& suite, std::uint64_t seed, bool first_is_larger)
      : first(make(suite, 2 * seed)), second(make(suite, 2 * seed + 1)) {
    const bool larger = peer_hash(first.public_key) > peer_hash(second.public_key);
    if (larger != first_is_larger) std::swap(first, second);
  }
  static crypto::KemKeyPair make(const crypto::Suite& suite, std::uint64_t seed) {
    testing::SeededRandom random(seed);
    return suite.static_kem->generate(random);
  }
  crypto::KemKeyPair first;
  crypto::KemKeyPair second;
};

/// One machine: a node with one peer, and an owner that keeps keys as the pair rules say.
class End final : public testing::SimHost {
 public:
  End(const crypto::Suite& suite, const crypto::KemKeyPair& own, ByteView other, std::uint64_t seed)
      : random_(seed), other_(other), node_(*Node::create(suite, keys_of(own), random_)) {}

  void add_peer(TimePoint now, std::optional<Endpoint> path, PeerKind kind = PeerKind::Trellis) {
    PeerConfig config{.public_key = other_, .path = path, .kind = kind};
    peer = *node_.add_peer(now, std::move(config));
  }

  void handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram) override {
    node_.handle_datagram(now, from, datagram);
    take_events(now);
  }
  void handle_timeout(TimePoint now) override {
    node_.handle_timeout(now);
    take_events(now);
  }
  std::optional<TimePoint> next_timeout() const override { return node_.next_timeout(); }
  std::optional<testing::SimDatagram> poll_transmit() override {
    auto transmit = node_.poll_transmit();
    if (!transmit) return std::nullopt;
    return testing::SimDatagram{{}, transmit->to, std::move(transmit->bytes)};
  }

  Node& node() { return node_; }
  PeerStatus status() const { return node_.status(peer); }
  std::uint64_t dropped(Drop reason) const {
    return node_.drops()[static_cast<std::size_t>(reason)];
  }
  std::uint64_t completed() const { return status().proven + status().accepted; }
  void take_events(TimePoint now) {
    while (auto event = node_.poll_event()) std::visit([&](auto& e) { on(now, e); }, *event);
  }

  PeerId peer{};
  std::optional<std::string> current;  // the osk, in hex
  TimePoint current_since{};
  TimePoint current_age_from{};
  std::optional<std::string> pending;
  ExchangeId pending_exchange{};
  TimePoint pending_age_from{};
  std::vector<std::string> history;  // of current
  int released = 0;
  int expired = 0;

 private:
  static OwnKeys keys_of(const crypto::KemKeyPair& keys) {
    return OwnKeys{keys.public_key, keys.secret_key.clone()};
  }
  static std::string text(const OutputKey& osk) {
    std::string result;
    for (const std::byte b : osk.expose()) result += std::to_string(static_cast<int>(b)) + ".";
    return result;
  }

  void on(TimePoint, Pending& e) {
    EXPECT_FALSE(pending) << "one exchange at a time";
    pending = text(e.osk);
    pending_exchange = e.exchange;
    pending_age_from = e.age_from;
  }
  void on(TimePoint now, Proven& e) {
    EXPECT_TRUE(pending && pending_exchange == e.exchange);
    make_current(now, pending.value_or("?"), pending_age_from);
    pending.reset();
  }
  void on(TimePoint now, Accepted& e) { make_current(now, text(e.osk), e.age_from); }
  void on(TimePoint, Released& e) {
    EXPECT_TRUE(pending && pending_exchange == e.exchange);
    pending.reset();
    ++released;
  }
  void on(TimePoint now, Expired&) {
    EXPECT_TRUE(current);
    EXPECT_GE(now - current_age_from, kRejectAfter);
    current.reset();
    ++expired;
  }
  void make_current(TimePoint now, std::string osk, TimePoint age_from) {
    EXPECT_LE(age_from, now);
    EXPECT_LT(now - age_from, kRejectAfter) << "a key must not be dead when it is handed out";
    current = std::move(osk);
    current_since = now;
    current_age_from = age_from;
    history.push_back(*current);
  }

  testing::SeededRandom random_;
  ByteView other_;
  Node node_;
};

struct WorldOptions {
  std::uint64_t seed = 1;
  testing::LinkFaults faults = {};
  bool first_is_larger = true;
  const crypto::Suite* suite = &small_suite();
};

/// Two ends and the network between them.
class World {
 public:
  explicit World(WorldOptions options = {})
      : net(options.seed, options.faults),
        options_(options),
        keys_(*options.suite, options.seed, options.first_is_larger) {
    restart_first();
    restart_second();
  }
  ~World() {
    net.detach(kFirst);
    net.detach(kSecond);
  }

  void restart_first() {
    first_ = std::make_unique<End>(*options_.suite, keys_.first, keys_.second.public_key,
                                   ++generation_ * 1000 + options_.seed);
    net.replace(kFirst, *first_);
  }
  void restart_second() {
    second_ = std::make_unique<End>(*options_.suite, keys_.second, keys_.first.public_key,
                                    ++generation_ * 1000 + options_.seed);
    net.replace(kSecond, *second_);
  }
  /// The first end knows the way, the second one learns nothing.
  void introduce_first(PeerKind kind = PeerKind::Trellis) {
    first().add_peer(net.now(), kSecond, kind);
    second().add_peer(net.now(), std::nullopt, kind);
  }
  void introduce_both() {
    first().add_peer(net.now(), kSecond);
    second().add_peer(net.now(), kFirst);
  }

  End& first() { return *first_; }
  End& second() { return *second_; }
  bool agree() const { return first_->current && first_->current == second_->current; }
  const TwoKeys& keys() const { return keys_; }

  testing::Sim net;

 private:
  WorldOptions options_;
  TwoKeys keys_;
  std::uint64_t generation_ = 0;
  std::unique_ptr<End> first_;
  std::unique_ptr<End> second_;
};

TEST(Node, AgreesWithItsPeerInTwoRoundTrips) {
  World world({.faults = {.delay = 20ms}});
  world.introduce_first();
  EXPECT_TRUE(world.net.run_until(81ms, [&] { return world.agree(); }));
  EXPECT_EQ(world.first().status().role, Role::Initiator);
  EXPECT_EQ(world.second().status().role, Role::Responder);
  EXPECT_EQ(world.first().status().state, ExchangeState::Idle);
  EXPECT_EQ(world.first().completed(), 1U);
  EXPECT_EQ(world.second().completed(), 1U);
  EXPECT_EQ(world.second().status().started, 0U);
}

TEST(Node, AgreesWithTheSuiteThatIsDeployed) {
  World world({.faults = {.delay = 20ms, .loss = 0.2}, .suite = &crypto::suite_rosenpass()});
  world.introduce_both();
  EXPECT_TRUE(world.net.run_until(10s, [&] { return world.agree(); }));
}

TEST(Node, RefusesKeysThatCannotBe) {
  TwoKeys keys(small_suite(), 1, true);
  testing::SeededRandom random(1);
  const ByteView key = keys.first.public_key;
  const auto create = [&](ByteView public_key, ByteView secret) {
    return Node::create(small_suite(), OwnKeys{public_key, SecretBuffer(secret)}, random);
  };
  const ByteView secret = keys.first.secret_key.expose();
  EXPECT_EQ(create(key.first(799), secret).error(), NodeError::WrongPublicKeySize);
  EXPECT_EQ(create(key, secret.first(8)).error(), NodeError::WrongSecretKeySize);
  auto node = create(key, secret);
  ASSERT_TRUE(node);
  const auto add = [&](ByteView peer) {
    return node->add_peer(TimePoint{1s}, PeerConfig{.public_key = peer});
  };
  EXPECT_EQ(add(key).error(), NodeError::OwnKey);
  EXPECT_EQ(add(key.first(1)).error(), NodeError::WrongPublicKeySize);
  const auto peer = add(keys.second.public_key);
  ASSERT_TRUE(peer);
  EXPECT_EQ(add(keys.second.public_key).error(), NodeError::AlreadyKnown);
  EXPECT_EQ(node->find_peer(peer_hash(keys.second.public_key)), *peer);
  node->remove_peer(*peer);
  EXPECT_FALSE(node->find_peer(peer_hash(keys.second.public_key)));
  EXPECT_TRUE(add(keys.second.public_key));
}

TEST(Node, AgreesWithinTenSecondsAtFortyPercentLoss) {
  for (std::uint64_t seed = 0; seed < seeds(300); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(
        {.seed = seed,
         .faults =
             {.delay = 15ms, .jitter = 30ms, .loss = 0.4, .duplication = 0.2, .reordering = 0.2},
         .first_is_larger = seed % 2 == 0});
    if (seed % 3 == 0) {
      world.introduce_first();
    } else {
      world.introduce_both();
    }
    ASSERT_TRUE(world.net.run_until(10s, [&] { return world.agree(); }));
    // And they keep agreeing when all that is on the way has come.
    world.net.set_faults({.delay = 10ms});
    world.net.run_for(5s);
    ASSERT_TRUE(world.agree());
  }
}

TEST(Node, EndsWithOneKeyWhenBothStartAtOnce) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed,
                 .faults = {.delay = Duration(seed % 50 * 5ms), .jitter = 20ms},
                 .first_is_larger = seed % 2 == 0});
    world.introduce_both();
    world.net.run_for(3s);
    ASSERT_TRUE(world.agree());
    ASSERT_EQ(world.first().status().state, ExchangeState::Idle);
    ASSERT_EQ(world.second().status().state, ExchangeState::Idle);
  }
}

/// Both InitConf cross on the wire, after mere delay. [pair rules, "What goes wrong otherwise" (a)]
TEST(Node, EndsWithOneKeyWhenBothConfirmationsCross) {
  for (const bool first_is_larger : {true, false}) {
    World world({.faults = {.delay = 600ms}, .first_is_larger = first_is_larger});
    world.introduce_both();
    // InitHello takes 0.6 s; the larger one leaves it unanswered for a second. Hold everything else
    // up so that both InitConf leave before either arrives.
    std::vector<testing::SimDatagram> held;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (!is(MessageType::InitConf, datagram.bytes) || held.size() == 2) return true;
      const bool same_end = held.size() == 1 && held[0].from == datagram.from;
      if (!same_end) held.push_back(datagram);
      return false;
    });
    ASSERT_TRUE(world.net.run_until(
        10s, [&] { return world.first().pending && world.second().pending && held.size() == 2; }));
    for (const auto& datagram : held) world.net.inject(datagram);
    EXPECT_TRUE(world.net.run_until(5s, [&] { return world.agree(); }));
    world.net.run_for(5s);
    EXPECT_TRUE(world.agree());
    // The larger one's exchange went on, and both ended with its key.
    End& larger = first_is_larger ? world.first() : world.second();
    End& smaller = first_is_larger ? world.second() : world.first();
    EXPECT_EQ(larger.status().role, Role::Initiator);
    EXPECT_EQ(smaller.status().role, Role::Responder);
    EXPECT_EQ(smaller.released, 1);
  }
}

TEST(Node, LeavesHelloUnansweredForOneSecondOnlyIfItIsLarger) {
  for (const bool first_is_larger : {true, false}) {
    World world({.first_is_larger = first_is_larger});
    // The second end's answers never arrive, so the first one's exchange goes on and on.
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      return !(datagram.from == kSecond && is(MessageType::RespHello, datagram.bytes));
    });
    world.first().add_peer(world.net.now(), kSecond);
    world.net.run_for(900ms);
    world.second().add_peer(world.net.now(), kFirst);
    world.net.run_for(90ms);
    EXPECT_EQ(world.first().dropped(Drop::Collision), first_is_larger ? 1U : 0U);
    EXPECT_EQ(world.agree(), !first_is_larger);
    EXPECT_TRUE(world.net.run_until(2s, [&] { return world.agree(); })) << "once, and not renewed";
  }
}

TEST(Node, SendsEmptyDataAgainWithoutASecondKey) {
  World world;
  int lost = 0;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !is(MessageType::EmptyData, datagram.bytes) || ++lost > 2;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
  EXPECT_EQ(lost, 3);
  EXPECT_EQ(world.second().history.size(), 1U);
  EXPECT_EQ(world.first().status().started, 1U);
}

TEST(Node, AcknowledgesTheLastInitConfAlsoAfterItsBiscuitIsDead) {
  World world;
  std::vector<ByteVector> confs;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitConf, datagram.bytes)) confs.push_back(datagram.bytes);
    return true;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  // The second end completes an exchange as initiator: that kills what it issued before.
  world.second().node().set_path(world.net.now(), world.second().peer, kFirst);
  world.second().node().start_exchange(world.net.now(), world.second().peer);
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.second().status().proven == 1; }));
  const std::uint64_t delivered = world.net.counters().sent;
  world.second().handle_datagram(world.net.now(), kFirst, confs.at(0));
  const auto answer = world.second().poll_transmit();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(is(MessageType::EmptyData, answer->bytes));
  EXPECT_EQ(world.second().status().accepted, 1U);
  EXPECT_EQ(world.net.counters().sent, delivered);
  EXPECT_TRUE(world.agree());
}

/// (b): recorded, withheld, and delivered after the next exchange.
TEST(Node, RefusesAnInitConfThatWasWithheld) {
  for (const bool second_completes_as_initiator : {false, true}) {
    World world;
    std::optional<testing::SimDatagram> withheld;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (!is(MessageType::InitConf, datagram.bytes) || withheld) return true;
      withheld = datagram;
      return false;
    });
    world.introduce_first();
    ASSERT_TRUE(world.net.run_until(1s, [&] { return withheld.has_value(); }));
    // All repeats of that InitConf are lost, too.
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      return datagram.bytes != withheld->bytes;
    });
    if (second_completes_as_initiator) {
      world.second().node().set_path(world.net.now(), world.second().peer, kFirst);
    }
    ASSERT_TRUE(world.net.run_until(10s, [&] { return world.agree(); }));
    const auto before = *world.second().current;
    world.net.inject(*withheld);
    world.net.run_for(1s);
    EXPECT_EQ(*world.second().current, before);
    EXPECT_EQ(world.second().dropped(Drop::DeadBiscuit), 1U);
    EXPECT_TRUE(world.agree());
  }
}

TEST(Node, RefusesABiscuitThatIsAsOldAsAKeyMayBe) {
  World world;
  std::optional<testing::SimDatagram> withheld;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitConf, datagram.bytes) && !withheld) withheld = datagram;
    return datagram.to == kSecond ? !withheld.has_value() : true;  // then silence
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return withheld.has_value(); }));
  world.net.run_for(kRejectAfter);
  world.net.inject(*withheld);
  world.net.run_for(1s);
  EXPECT_FALSE(world.second().current);
  EXPECT_EQ(world.second().dropped(Drop::Stale), 1U);
}

TEST(Node, CountsAKeysAgeFromItsExchangeAtBothEnds) {
  World world;
  std::optional<testing::SimDatagram> withheld;
  bool passes = false;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (passes || !is(MessageType::InitConf, datagram.bytes)) {
      return passes || !withheld.has_value();
    }
    if (!withheld) withheld = datagram;
    return false;
  });
  world.introduce_first();
  const TimePoint start = world.net.now();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return withheld.has_value(); }));
  world.net.run_for(100s);
  passes = true;
  world.net.inject(*withheld);
  ASSERT_TRUE(world.net.run_until(100ms, [&] { return world.second().current.has_value(); }));
  EXPECT_LT(world.second().current_age_from - start, 1s) << "not from its arrival";
  EXPECT_GE(world.second().current_age_from, start);
}

TEST(Node, BeginsANewExchangeAfterAllRepeatsUnanswered) {
  World world;
  int confs = 0;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !is(MessageType::InitConf, datagram.bytes) || ++confs > 1 + kConfirmationRepeats;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(5s, [&] { return world.agree(); }));
  EXPECT_EQ(confs, 2 + kConfirmationRepeats);
  EXPECT_EQ(world.first().released, 1) << "the key of the first one stays live, but is not pending";
  EXPECT_EQ(world.first().status().started, 2U);
}

TEST(Node, LearnsToWaitWhereThePathIsLong) {
  World world({.faults = {.delay = 900ms}});  // 1.8 s there and back
  world.introduce_first();
  EXPECT_TRUE(world.net.run_until(20s, [&] { return world.agree(); }));
  EXPECT_GT(world.first().dropped(Drop::Late), 0U);
  world.net.run_for(10s);
  EXPECT_TRUE(world.agree());
  const std::uint64_t started = world.first().status().started;
  world.first().node().start_exchange(world.net.now(), world.first().peer);
  world.net.run_for(10s);
  EXPECT_TRUE(world.agree());
  EXPECT_EQ(world.first().status().started, started + 1) << "and remembers it";
}

TEST(Node, ReplacesAnInitHelloAfterAMinuteOfSilence) {
  World world;
  std::map<ByteVector, std::vector<TimePoint>> hellos;
  world.net.set_filter([&](TimePoint now, const testing::SimDatagram& datagram) {
    hellos[datagram.bytes].push_back(now);
    return false;
  });
  world.introduce_first();
  world.net.run_for(179s);
  EXPECT_EQ(hellos.size(), 3U);
  EXPECT_EQ(world.first().status().state, ExchangeState::Hello);
  std::vector<TimePoint> all;
  for (const auto& [bytes, times] : hellos) {
    EXPECT_LT(times.back() - times.front(), kHelloLife);
    all.insert(all.end(), times.begin(), times.end());
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 1; i < all.size(); ++i) {
    const bool first_minute = all[i - 1] - all[0] < kEagerFor;
    EXPECT_LE(all[i] - all[i - 1], first_minute ? kRetryMostWhileEager : kRetryMost);
    EXPECT_GE(all[i] - all[i - 1], kRetryFirst / 2);
  }
  EXPECT_LT(all.size(), 110U) << "and it is quiet enough";
}

TEST(Node, RepeatsAtLeastEveryTwoSecondsWhileThePathAnswers) {
  World world;
  std::vector<TimePoint> sent;
  world.net.set_filter([&](TimePoint now, const testing::SimDatagram&) {
    sent.push_back(now);
    return false;
  });
  world.introduce_first();
  for (int i = 0; i < 30; ++i) {
    world.net.run_for(10s);
    world.first().node().note_path_answers(world.net.now(), world.first().peer);
  }
  for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_LE(sent[i] - sent[i - 1], 2s);
}

TEST(Node, TakesTurnsInRenewing) {
  World world({.faults = {.delay = 30ms}});
  world.introduce_both();
  std::vector<Role> roles;
  std::vector<TimePoint> times;
  std::uint64_t seen = 0;
  ASSERT_TRUE(world.net.run_until(15min, [&] {
    if (world.first().completed() > seen) {
      seen = world.first().completed();
      roles.push_back(world.first().status().role);
      times.push_back(world.net.now());
    }
    return roles.size() == 7;
  }));
  for (std::size_t i = 2; i < roles.size(); ++i) {
    EXPECT_NE(roles[i], roles[i - 1]);
    EXPECT_GE(times[i] - times[i - 1], 119s);
    EXPECT_LE(times[i] - times[i - 1], 121s);
  }
  EXPECT_EQ(world.first().expired + world.second().expired, 0);
  EXPECT_LE(world.first().history.size(), 8U);
}

TEST(Node, RenewsAfterOneHundredThirtySecondsWhereItsPeerCannot) {
  World world({.faults = {.delay = 30ms}});
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  world.net.run_for(129s);
  EXPECT_EQ(world.first().completed(), 1U);
  world.net.run_for(2s);
  EXPECT_EQ(world.first().completed(), 2U);
  EXPECT_TRUE(world.agree());
  EXPECT_EQ(world.first().status().role, Role::Initiator);
}

TEST(Node, LetsAKeyExpireWhenNothingGetsThrough) {
  World world;
  world.introduce_both();
  ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
  world.net.set_filter([](TimePoint, const testing::SimDatagram&) { return false; });
  world.net.run_for(176s);
  EXPECT_TRUE(world.first().current && world.second().current);
  world.net.run_for(5s);
  EXPECT_EQ(world.first().expired, 1);
  EXPECT_EQ(world.second().expired, 1);
  EXPECT_FALSE(world.first().current || world.second().current);
  EXPECT_FALSE(world.first().status().current);
  // And it heals by itself; here nobody told that the path answers again.
  world.net.set_filter(nullptr);
  EXPECT_TRUE(world.net.run_until(kRetryMost + 1s, [&] { return world.agree(); }));
}

TEST(Node, IsBackAtOnceAfterEitherEndRestarts) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed, .faults = {.delay = 10ms}, .first_is_larger = seed % 2 == 0});
    world.introduce_both();
    ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
    world.net.run_for(Duration(seed * 31ms));
    world.restart_first();
    if (seed % 3 == 0) world.restart_second();
    world.first().add_peer(world.net.now(), kSecond);
    if (seed % 3 == 0) {
      world.net.run_for(Duration(seed * 17ms));
      world.second().add_peer(world.net.now(), kFirst);
    }
    ASSERT_TRUE(world.net.run_until(700ms, [&] { return world.agree(); }));
    world.net.run_for(3s);
    ASSERT_TRUE(world.agree());
  }
}

TEST(Node, IsBackAtOnceAfterASuspend) {
  World world;
  world.introduce_both();
  ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
  world.net.suspend(kFirst, 10min);
  world.net.run_for(10min);
  EXPECT_TRUE(world.net.run_until(2s, [&] { return world.agree(); }));
  EXPECT_LT(world.net.now() - world.first().current_age_from, 3s);
}

TEST(Node, NeverBeginsWithoutAPathAndBeginsWhenItLearnsOne) {
  World world;
  world.first().add_peer(world.net.now(), std::nullopt);
  world.second().add_peer(world.net.now(), std::nullopt);
  world.first().node().start_exchange(world.net.now(), world.first().peer);
  world.net.run_for(10min);
  EXPECT_EQ(world.net.counters().sent, 0U);
  world.first().node().set_path(world.net.now(), world.first().peer, kSecond);
  EXPECT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  world.first().node().set_path(world.net.now(), world.first().peer, std::nullopt);
  world.net.run_for(200s);
  EXPECT_FALSE(world.first().current);
  EXPECT_EQ(world.first().status().started, 1U);
}

TEST(Node, FollowsAPathThatMovesInMidExchange) {
  for (const MessageType until : {MessageType::RespHello, MessageType::EmptyData}) {
    World world;
    const Endpoint elsewhere = *Endpoint::parse("[2001:db8::7]:77");
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      return !is(until, datagram.bytes) || datagram.from != kSecond;
    });
    world.introduce_first();
    world.net.run_for(600ms);
    EXPECT_FALSE(world.first().current);
    world.net.set_filter(nullptr);
    world.net.move(kSecond, elsewhere);
    world.first().node().set_path(world.net.now(), world.first().peer, elsewhere);
    EXPECT_TRUE(world.net.run_until(100ms, [&] { return world.agree(); })) << "at once";
    world.net.detach(elsewhere);
  }
}

TEST(Node, EndsAnExchangeWhosePathIsGone) {
  World world;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !is(MessageType::EmptyData, datagram.bytes);
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(200ms, [&] { return world.first().pending.has_value(); }));
  world.first().node().set_path(world.net.now(), world.first().peer, std::nullopt);
  world.first().take_events(world.net.now());
  EXPECT_EQ(world.first().released, 1);
  EXPECT_EQ(world.first().status().state, ExchangeState::Idle);
}

TEST(Node, ForgetsAPeerInAnyState) {
  for (int steps = 0; steps < 8; ++steps) {
    World world;
    world.introduce_first();
    world.net.run_for(steps * 6ms);
    world.first().node().remove_peer(world.first().peer);
    world.net.run_for(200s);
    EXPECT_EQ(world.first().status().started, 0U) << "no longer known";
    EXPECT_FALSE(world.first().node().poll_transmit());
  }
}

TEST(Node, TakesAConfirmationFromOutsideAsProof) {
  World world;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !is(MessageType::EmptyData, datagram.bytes);
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(200ms, [&] { return world.second().current.has_value(); }));
  End& first = world.first();
  first.node().confirm(world.net.now(), first.peer, ExchangeId{12345});
  first.take_events(world.net.now());
  EXPECT_FALSE(first.current) << "another exchange proves nothing";
  first.node().confirm(world.net.now(), first.peer, first.pending_exchange);
  first.take_events(world.net.now());
  EXPECT_TRUE(world.agree());
  EXPECT_EQ(first.status().state, ExchangeState::Idle);
  EXPECT_EQ(first.status().role, Role::Initiator);
}

TEST(Node, NeverDropsItsExchangeForAStockPeer) {
  // Both InitConf cross as above, but the other end drops its own whatever its pid.
  World world({.faults = {.delay = 600ms}, .first_is_larger = false});
  world.first().add_peer(world.net.now(), kSecond, PeerKind::Stock);
  world.second().add_peer(world.net.now(), kFirst, PeerKind::Trellis);
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    return !(datagram.from == kSecond && is(MessageType::EmptyData, datagram.bytes));
  });
  ASSERT_TRUE(world.net.run_until(20s, [&] { return world.first().status().accepted == 1; }));
  EXPECT_EQ(world.first().status().state, ExchangeState::Conf);
  EXPECT_EQ(world.first().released, 0);
}

TEST(Node, LetsTheExchangeOfGoRosenpassWin) {
  // It has its InitConf out while ours is proven: refused, it would call its key expired.
  World world;
  world.first().add_peer(world.net.now(), kSecond, PeerKind::StockGo);
  world.second().add_peer(world.net.now(), std::nullopt, PeerKind::StockGo);
  std::optional<testing::SimDatagram> held;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (datagram.from != kFirst || !is(MessageType::InitConf, datagram.bytes)) return true;
    if (!held) held = datagram;
    return false;
  });
  ASSERT_TRUE(world.net.run_until(1s, [&] { return held.has_value(); }));
  world.second().node().set_path(world.net.now(), world.second().peer, kFirst);
  ASSERT_TRUE(world.net.run_until(5s, [&] { return world.second().status().proven == 1; }));
  world.net.inject(*held);
  world.net.run_for(20ms);
  EXPECT_EQ(world.second().status().accepted, 1U);
  world.net.inject(*held);
  world.net.run_for(20ms);
  EXPECT_EQ(world.second().status().accepted, 1U) << "but once";
}

TEST(Node, IsNotHeldUpByReplaysFromForgedSources) {
  std::vector<Duration> times;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed, .faults = {.delay = 10ms}, .first_is_larger = seed % 2 == 0});
    std::vector<testing::SimDatagram> hellos;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (is(MessageType::InitHello, datagram.bytes)) hellos.push_back(datagram);
      return true;
    });
    world.introduce_both();
    ASSERT_TRUE(world.net.run_until(3s, [&] { return world.agree(); }));
    // Both restart; a hundred replays a second, to each of them, from anywhere.
    world.restart_first();
    world.restart_second();
    testing::SeededRandom random(seed);
    for (int i = 0; i < 1200; ++i) {
      testing::SimDatagram replay = hellos[random.below(hellos.size())];
      replay.from = Endpoint{IpAddress::v4(random.bytes<4>()), 1};
      world.net.inject(replay, i * 10ms);
    }
    world.net.run_for(2s);
    const TimePoint start = world.net.now();
    world.introduce_both();
    ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
    times.push_back(world.net.now() - start);
    world.net.run_for(3s);
    ASSERT_TRUE(world.agree());
  }
  std::sort(times.begin(), times.end());
  EXPECT_LT(times[times.size() / 2], 100ms);
}

TEST(Node, SpendsATenthOfACoreOnStrangers) {
  World world;
  ByteVector hello;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitHello, datagram.bytes)) hello = datagram.bytes;
    return false;
  });
  world.introduce_first();
  world.net.run_for(10ms);
  ASSERT_FALSE(hello.empty());
  End& second = world.second();
  std::uint64_t answers = 0;
  const TimePoint start = world.net.now();
  for (int i = 0; i < 10'000; ++i) {  // a thousand a second
    second.handle_datagram(start + i * 1ms, kStranger, hello);
    while (second.poll_transmit()) ++answers;
  }
  const std::uint64_t opened = 10'000 - second.dropped(Drop::StrangersBusy);
  const Duration work = opened * kCostOfOpening + answers * kCostOfAnswering;
  EXPECT_LE(work, 1s + kStrangersBurst + kCostOfAnswering);
  EXPECT_GE(work, 900ms);
  EXPECT_GT(answers, 50U) << "a peer whose path we do not know still has a chance";
  EXPECT_GT(second.dropped(Drop::PeerBusy), 0U);

  // The live path of the same peer is not touched by all that.
  second.node().set_path(start + 10s, second.peer, kFirst);
  while (second.poll_transmit()) {
  }
  second.handle_datagram(start + 10s, kFirst, hello);
  EXPECT_TRUE(second.poll_transmit());
}

TEST(Node, DropsWhatItsPeerCannotHaveSent) {
  World world;
  std::map<MessageType, ByteVector> messages;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    messages.try_emplace(static_cast<MessageType>(datagram.bytes[0]), datagram.bytes);
    return true;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));

  const auto changed = [&](MessageType type, std::size_t at, ByteView receiver_key) {
    ByteVector datagram = messages.at(type);
    datagram[at] ^= std::byte{1};
    if (receiver_key.empty()) return datagram;
    const std::size_t before_mac = datagram.size() - kTrailerSize;
    const auto mac =
        message_mac(StaticPublicKey(receiver_key).mac_key, ByteView(datagram).first(before_mac));
    std::copy(mac.begin(), mac.end(), datagram.begin() + static_cast<std::ptrdiff_t>(before_mac));
    return datagram;
  };
  const ByteView key = world.keys().second.public_key;
  End& second = world.second();
  TimePoint now = world.net.now();
  const std::size_t hello_size = messages.at(MessageType::InitHello).size();
  for (std::size_t i = 4; i < hello_size - kTrailerSize; i += 7) {  // bytes 1 to 3 are free
    now += 100ms;
    second.handle_datagram(now, kStranger, changed(MessageType::InitHello, i, {}));
    second.handle_datagram(now, kStranger, changed(MessageType::InitHello, i, key));
    ASSERT_FALSE(second.poll_transmit()) << i;
  }
  EXPECT_EQ(second.dropped(Drop::BadMac), (hello_size - kTrailerSize - 4 + 6) / 7);
  EXPECT_GT(second.dropped(Drop::BadHello), 0U);
  EXPECT_GT(second.dropped(Drop::BadAuth), 0U);
  for (std::size_t i = 4; i < Layout::init_conf_size() - kTrailerSize; ++i) {
    second.handle_datagram(now, kStranger, changed(MessageType::InitConf, i, key));
    ASSERT_FALSE(second.poll_transmit()) << i;
  }
  EXPECT_EQ(second.history.size(), 1U);
  EXPECT_GT(second.dropped(Drop::BadBiscuit), 100U);
  // A late answer to an exchange that is over.
  End& first = world.first();
  first.handle_datagram(now, kSecond, messages.at(MessageType::RespHello));
  first.handle_datagram(now, kSecond, messages.at(MessageType::EmptyData));
  EXPECT_EQ(first.dropped(Drop::UnknownSession), 2U);
  EXPECT_FALSE(first.poll_transmit());
}

TEST(Node, TakesAnInitConfThatDiffersOnlyInItsCookieForARepeat) {
  World world;
  ByteVector conf;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    if (is(MessageType::InitConf, datagram.bytes)) conf = datagram.bytes;
    return true;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  conf.back() ^= std::byte{1};
  world.second().handle_datagram(world.net.now(), kStranger, conf);
  const auto answer = world.second().poll_transmit();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->to, kStranger) << "to where it came from";
  EXPECT_EQ(world.second().history.size(), 1U);
}

TEST(Node, GoesOnWaitingWhenAnAnswerIsForged) {
  World world;
  std::optional<testing::SimDatagram> answer;
  world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
    const bool first_answer = is(MessageType::RespHello, datagram.bytes) && !answer;
    if (first_answer) answer = datagram;
    return !first_answer;
  });
  world.introduce_first();
  ASSERT_TRUE(world.net.run_until(100ms, [&] { return answer.has_value(); }));
  const crypto::Digest mac_key = StaticPublicKey(world.keys().first.public_key).mac_key;
  const std::size_t before_mac = answer->bytes.size() - kTrailerSize;
  for (const std::size_t at : {4U, 20U, 900U, 1600U}) {
    ByteVector forged = answer->bytes;
    forged[at] ^= std::byte{1};
    const auto mac = message_mac(mac_key, ByteView(forged).first(before_mac));
    std::copy(mac.begin(), mac.end(), forged.begin() + static_cast<std::ptrdiff_t>(before_mac));
    world.first().handle_datagram(world.net.now(), kSecond, forged);
  }
  EXPECT_EQ(world.first().dropped(Drop::BadAuth), 4U);
  EXPECT_EQ(world.first().status().state, ExchangeState::Hello);
  EXPECT_EQ(world.first().status().last_drop, Drop::BadAuth);
  world.net.inject(*answer);
  EXPECT_TRUE(world.net.run_until(100ms, [&] { return world.agree(); }));
}

TEST(Node, SaysWhenThePeerHasAnotherPsk) {
  World world;
  const auto psk = [](std::uint8_t value) { return ExchangePsk(Bytes<32>{std::byte{value}}); };
  const auto peer = world.first().node().add_peer(
      world.net.now(),
      {.public_key = world.keys().second.public_key, .psk = psk(1), .path = kSecond});
  const auto other = world.second().node().add_peer(
      world.net.now(), {.public_key = world.keys().first.public_key, .psk = psk(2)});
  ASSERT_TRUE(peer && other);
  world.net.run_for(5s);
  EXPECT_FALSE(world.first().current);
  EXPECT_EQ(world.second().node().status(*other).last_drop, Drop::BadAuth);
}

TEST(Node, KeepsACallShortHoweverManyPeersAreDue) {
  testing::SeededRandom random(5);
  const auto own = small_suite().static_kem->generate(random);
  auto node = *Node::create(small_suite(), OwnKeys{own.public_key, own.secret_key.clone()}, random);
  std::vector<crypto::KemKeyPair> others;
  for (int i = 0; i < 50; ++i) others.push_back(small_suite().static_kem->generate(random));
  const TimePoint now{1s};
  for (const auto& other : others) {
    ASSERT_TRUE(node.add_peer(now, {.public_key = other.public_key, .path = kSecond}));
  }
  int calls = 0;
  int sent = 0;
  while (node.next_timeout() && *node.next_timeout() <= now) {
    node.handle_timeout(now);
    int in_this_call = 0;
    while (node.poll_transmit()) ++in_this_call;
    EXPECT_LE(in_this_call, 4);
    sent += in_this_call;
    ASSERT_LT(++calls, 100);
  }
  EXPECT_EQ(sent, 50);
}

/// What may happen to one datagram.
enum class Fate { Arrives, Lost, Late, TwiceAndLate, kCount };

/// Every fate of each of the first datagrams, by both assignments of the larger pid, with one end
/// or both beginning: the ends always agree in the end, and stay so.
TEST(Node, AgreesWhateverBecomesOfTheFirstDatagrams) {
  const std::uint64_t depth = seeds(5);
  std::uint64_t scripts = 1;
  for (std::uint64_t i = 0; i < depth; ++i) scripts *= static_cast<std::uint64_t>(Fate::kCount);
  for (std::uint64_t run = 0; run < 4 * scripts; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    const bool both_begin = run % 4 < 2;
    World world({.faults = {.delay = 20ms}, .first_is_larger = run % 2 == 0});
    std::uint64_t script = run / 4;
    std::uint64_t decided = 0;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (decided++ >= depth) return true;
      const Fate fate = static_cast<Fate>(script % static_cast<std::uint64_t>(Fate::kCount));
      script /= static_cast<std::uint64_t>(Fate::kCount);
      if (fate == Fate::Late || fate == Fate::TwiceAndLate) world.net.inject(datagram, 900ms);
      return fate == Fate::Arrives || fate == Fate::TwiceAndLate;
    });
    if (both_begin) {
      world.introduce_both();
    } else {
      world.introduce_first();
    }
    ASSERT_TRUE(world.net.run_until(6s, [&] { return world.agree(); }));
    world.net.run_for(5s);
    ASSERT_TRUE(world.agree());
    ASSERT_EQ(world.first().status().state, ExchangeState::Idle);
    ASSERT_EQ(world.second().status().state, ExchangeState::Idle);
  }
}

/// An hour under loss, restarts and sleeps: no dead key is ever handed out (checked by End), and
/// when the network is good again both have the same one.
TEST(Node, HealsFromAnything) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.seed = seed,
                 .faults = {.delay = 20ms, .jitter = 200ms, .loss = 0.3, .duplication = 0.1},
                 .first_is_larger = seed % 2 == 0});
    world.introduce_both();
    testing::SeededRandom random(seed);
    std::vector<testing::SimDatagram> recorded;
    world.net.set_filter([&](TimePoint, const testing::SimDatagram& datagram) {
      if (recorded.size() < 200) recorded.push_back(datagram);
      return true;
    });
    for (int i = 0; i < 40; ++i) {
      world.net.run_for(Duration(random.below(90'000) * 1ms));
      switch (random.below(5)) {
        case 0:
          world.restart_first();
          world.first().add_peer(world.net.now(), kSecond);
          break;
        case 1:
          world.restart_second();
          world.second().add_peer(world.net.now(), kFirst);
          break;
        case 2:
          world.net.suspend(kFirst, Duration(random.below(400) * 1s));
          break;
        case 3:
          world.first().node().start_exchange(world.net.now(), world.first().peer);
          break;
        default:
          for (int k = 0; k < 20 && !recorded.empty(); ++k) {
            world.net.inject(recorded[random.below(recorded.size())], k * 3ms);
          }
      }
    }
    world.net.run_for(400s);
    world.net.set_faults({.delay = 10ms});
    ASSERT_TRUE(world.net.run_until(140s, [&] { return world.agree(); }));
    world.net.run_for(5s);
    ASSERT_TRUE(world.agree());
  }
}

}  // namespace
}  // namespace trellis::rosenpass
