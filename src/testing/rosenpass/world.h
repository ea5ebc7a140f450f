#pragma once

#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/node.h"
#include "testing/random.h"
#include "testing/sim.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Two Rosenpass nodes and the network between them, for tests.
namespace trellis::rosenpass {

/// Real, and small: half a megabyte of key would make ten thousand runs long.
inline const crypto::Suite& small_suite() {
  static const crypto::Suite suite{0, "test", &crypto::kyber512_round3(),
                                   &crypto::kyber512_round3()};
  return suite;
}

inline const Endpoint kFirst = *Endpoint::parse("192.0.2.1:1001");
inline const Endpoint kSecond = *Endpoint::parse("192.0.2.2:1002");
inline const Endpoint kStranger = *Endpoint::parse("203.0.113.9:999");

inline bool is(MessageType type, ByteView datagram) {
  return !datagram.empty() && datagram[0] == static_cast<std::byte>(type);
}

/// How many seeds to try. TRELLIS_TEST_SEEDS sets another number, for a long run.
inline std::uint64_t seeds(std::uint64_t usual) {
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
  End(const crypto::Suite& suite, const crypto::KemKeyPair& own, ByteView other, std::uint64_t seed,
      Dialect dialect = {})
      : random_(seed),
        other_(other),
        dialect_(dialect),
        node_(*Node::create(suite, keys_of(own), random_)) {}

  void add_peer(TimePoint now, std::optional<Endpoint> path, PeerKind kind = PeerKind::Trellis) {
    PeerConfig config{.public_key = other_, .path = path, .kind = kind, .dialect = dialect_};
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
  Dialect dialect_;
  Node node_;
};

struct WorldOptions {
  std::uint64_t seed = 1;
  testing::LinkFaults faults = {};
  bool first_is_larger = true;
  const crypto::Suite* suite = &small_suite();
  Dialect dialect = {};
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
                                   ++generation_ * 1000 + options_.seed, options_.dialect);
    net.replace(kFirst, *first_);
  }
  void restart_second() {
    second_ = std::make_unique<End>(*options_.suite, keys_.second, keys_.first.public_key,
                                    ++generation_ * 1000 + options_.seed, options_.dialect);
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

}  // namespace trellis::rosenpass
