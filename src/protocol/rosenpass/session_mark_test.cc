#include "protocol/rosenpass/session_mark.h"

#include "protocol/rosenpass/labels.h"
#include "testing/rosenpass/world.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass {
namespace {

TEST(SessionMark, IsOnOursAndByChanceOnFewOthers) {
  testing::SeededRandom random(1);
  int marked = 0;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(is_marked(marked_session_id(random)));
    if (is_marked(SessionId{random.bytes<4>()})) ++marked;
  }
  EXPECT_LE(marked, 3);
}

TEST(SessionMark, MakesTwoEndsAgreeThatWereNotToldOfEachOther) {
  for (std::uint64_t seed = 0; seed < seeds(200); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(
        {.seed = seed, .faults = {.delay = 5ms, .jitter = 10ms}, .first_is_larger = seed % 2 == 0});
    world.first().add_peer(world.net.now(), kSecond, PeerKind::Unknown);
    world.net.run_for(seed * 100us);
    world.second().add_peer(world.net.now(), kFirst, PeerKind::Unknown);
    world.net.run_for(5s);
    ASSERT_TRUE(world.agree());
  }
}

TEST(SessionMark, IsNotNeededWhereAcknowledgementsTell) {
  // Ours count from 1, as Go's do, so without the mark we would be taken for Go.
  World world;
  world.first().add_peer(world.net.now(), kSecond, PeerKind::Unknown);
  world.second().add_peer(world.net.now(), std::nullopt, PeerKind::Unknown);
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));
  EXPECT_EQ(world.first().status().kind, PeerKind::Trellis);
  EXPECT_EQ(world.second().status().kind, PeerKind::Trellis);
}

TEST(OutputLabel, OfAnotherPurposeGivesAnotherKey) {
  const std::vector<std::string> usual{"wireguard psk"};
  for (const Version version : {Version::V02, Version::V03}) {
    EXPECT_EQ(output_label(version, "rosenpass.eu", usual), labels(version).output_key);
    EXPECT_NE(output_label(version, "example.org", usual), labels(version).output_key);
    EXPECT_NE(output_label(version, "rosenpass.eu", {}), labels(version).output_key);
  }
  World world;
  const auto label = output_label(Version::V02, "example.org", {"a", "b"});
  const auto add = [&](End& end, ByteView key, std::optional<Endpoint> path,
                       std::optional<crypto::Digest> purpose) {
    ASSERT_TRUE(end.node().add_peer(world.net.now(),
                                    {.public_key = key, .path = path, .output_label = purpose}));
  };
  add(world.first(), world.keys().second.public_key, kSecond, label);
  add(world.second(), world.keys().first.public_key, std::nullopt, label);
  ASSERT_TRUE(world.net.run_until(1s, [&] { return world.agree(); }));

  World other;
  add(other.first(), other.keys().second.public_key, kSecond, label);
  add(other.second(), other.keys().first.public_key, std::nullopt, std::nullopt);
  other.net.run_for(1s);
  EXPECT_TRUE(other.first().current && other.second().current);
  EXPECT_NE(other.first().current, other.second().current) << "nothing on the wire tells it";
}

}  // namespace
}  // namespace trellis::rosenpass
