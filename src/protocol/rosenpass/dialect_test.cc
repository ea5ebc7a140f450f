#include "base/hex.h"
#include "testing/rosenpass/world.h"
#include "testing/vector_file.h"

#include <gtest/gtest.h>

#include <map>

namespace trellis::rosenpass {
namespace {

TEST(Dialects, EveryOneOfThemAgreesAndRenews) {
  for (const Version version : {Version::V02, Version::V03}) {
    SCOPED_TRACE(name(version));
    World world({.faults = {.loss = 0.2}, .dialect = {.version = version}});
    world.introduce_both();
    ASSERT_TRUE(world.net.run_until(10s, [&] { return world.agree(); }));
    const auto before = world.first().current;
    ASSERT_TRUE(world.net.run_until(150s, [&] { return world.first().current != before; }));
    world.net.run_for(5s);
    EXPECT_TRUE(world.agree());
  }
}

TEST(Dialects, EndsThatDifferInTheHashDoNotUnderstandEachOther) {
  World world;
  world.first().node().add_peer(world.net.now(), {.public_key = world.keys().second.public_key,
                                                  .path = kSecond,
                                                  .dialect = {.version = Version::V03}});
  world.second().add_peer(world.net.now(), std::nullopt);
  world.net.run_for(5s);
  EXPECT_FALSE(world.first().current);
  EXPECT_GT(world.second().dropped(Drop::BadMac), 5U);
}

/// The keys of the recorded handshakes, which are real.
struct RealKeys {
  explicit RealKeys(const std::string& name)
      : public_key(testing::read_vector_file("rosenpass/" + name + ".pk.bin")),
        raw_secret(testing::read_vector_file(
            "rosenpass/" + name + (name.starts_with("v02") ? ".sk13568.bin" : ".sk13608.bin"))) {}
  OwnKeys own() const {
    return {public_key, *normalise_secret_key(crypto::suite_rosenpass(), raw_secret)};
  }
  ByteVector public_key;
  ByteVector raw_secret;
};

/// Carries datagrams between nodes without delay or loss, and counts the keys that each one gets.
class Exchange {
 public:
  void add(const Endpoint& at, Node& node) { nodes_[at] = &node; }
  void run(TimePoint now) {
    for (auto& [at, node] : nodes_) node->handle_timeout(now);
    for (bool quiet = false; !quiet;) {
      quiet = true;
      for (auto& [at, node] : nodes_) {
        while (auto out = node->poll_transmit()) {
          quiet = false;
          sizes.push_back(out->bytes.size());
          if (nodes_.contains(out->to)) nodes_[out->to]->handle_datagram(now, at, out->bytes);
        }
      }
    }
    for (auto& [at, node] : nodes_) {
      while (auto event = node->poll_event()) {
        if (auto* e = std::get_if<Pending>(&*event)) keys[at].push_back(text(e->osk));
        if (auto* e = std::get_if<Accepted>(&*event)) keys[at].push_back(text(e->osk));
      }
    }
  }
  std::map<Endpoint, std::vector<std::string>> keys;
  std::vector<std::size_t> sizes;

 private:
  static std::string text(const OutputKey& osk) { return to_hex(osk.expose()); }
  std::map<Endpoint, Node*> nodes_;
};

TEST(Dialects, OneNodeSpeaksAllOfThemAtOnce) {
  const RealKeys names[] = {RealKeys("v02_peer_a"), RealKeys("v02_peer_b"), RealKeys("v03_peer_a"),
                            RealKeys("v03_peer_b")};
  const Dialect dialects[] = {{Version::V02, nullptr},
                              {Version::V02, &crypto::suite_rosenpass_156()},
                              {Version::V03, nullptr}};
  testing::SeededRandom random(5);
  const TimePoint now{};
  Node centre = *Node::create(crypto::suite_rosenpass(), names[3].own(), random);
  Exchange exchange;
  exchange.add(kFirst, centre);
  std::vector<std::unique_ptr<Node>> others;
  const auto address = [](std::size_t i) {
    return Endpoint{IpAddress::v4({std::byte{10}, {}, {}, std::byte(i)}), 1};
  };
  for (std::size_t i = 0; i < 3; ++i) {
    Node other = *Node::create(crypto::suite_rosenpass(), names[i].own(), random);
    ASSERT_TRUE(other.add_peer(
        now, {.public_key = names[3].public_key, .path = kFirst, .dialect = dialects[i]}));
    ASSERT_TRUE(centre.add_peer(now, {.public_key = names[i].public_key, .dialect = dialects[i]}));
    others.push_back(std::make_unique<Node>(std::move(other)));
    exchange.add(address(i), *others.back());
  }
  exchange.run(now);
  EXPECT_EQ(exchange.keys[kFirst].size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(exchange.keys[address(i)].size(), 1U) << i;
    EXPECT_TRUE(std::ranges::count(exchange.keys[kFirst], exchange.keys[address(i)][0])) << i;
  }
  for (const std::size_t size : {1092U, 1132U, 1060U, 1100U}) {
    EXPECT_TRUE(std::ranges::count(exchange.sizes, size)) << size;
    ByteVector datagram(size);
    datagram[0] = std::byte(size == 1092 || size == 1060 ? 0x81 : 0x82);
    EXPECT_TRUE(centre.accepts(datagram)) << size;
  }
  const auto centre_drops = centre.drops();
  for (const std::uint64_t count : centre_drops) EXPECT_EQ(count, 0U);
}

TEST(Dialects, ASuiteWhoseKeysAreOthersIsRefused) {
  World world;
  const auto peer = world.first().node().add_peer(
      world.net.now(), {.public_key = world.keys().second.public_key,
                        .dialect = {.suite = &crypto::suite_rosenpass()}});
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error(), NodeError::WrongSuite);
}

}  // namespace
}  // namespace trellis::rosenpass
