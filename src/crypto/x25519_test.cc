#include "crypto/x25519.h"

#include "crypto/known_answers_test.h"
#include "testing/random.h"

#include <gtest/gtest.h>

namespace trellis::crypto {
namespace {

PrivateKey private_key(const KnownAnswer& answer, const std::string& name) {
  return PrivateKey(answer.array<32>(name));
}

std::string multiply(const PrivateKey& scalar, const PublicKey& point) {
  const auto result = shared_secret(scalar, point);
  return result ? to_hex(result->expose()) : "nothing";
}

TEST(X25519, MultipliesLikeRfc7748) {
  for (const KnownAnswer& a : known_answers("x25519.txt", "multiply")) {
    EXPECT_EQ(multiply(private_key(a, "scalar"), {a.array<32>("point")}), to_hex(a.at("result")));
  }
}

TEST(X25519, MultipliesAThousandTimesLikeRfc7748) {
  const KnownAnswer a = known_answers("x25519.txt", "iterated").at(0);
  Bytes<32> scalar = a.array<32>("start");
  Bytes<32> point = scalar;
  for (int i = 1; i <= 1000; ++i) {
    const auto result = shared_secret(PrivateKey(scalar), {point});
    ASSERT_TRUE(result.has_value());
    point = std::exchange(scalar, to_array<32>(result->expose()));
    if (i == 1) {
      EXPECT_EQ(to_hex(scalar), to_hex(a.at("after1")));
    }
  }
  EXPECT_EQ(to_hex(scalar), to_hex(a.at("after1000")));
}

TEST(X25519, AgreesLikeRfc7748) {
  const KnownAnswer a = known_answers("x25519.txt", "agreement").at(0);
  const PublicKey alice = public_key(private_key(a, "alice_private"));
  const PublicKey bob = public_key(private_key(a, "bob_private"));
  EXPECT_EQ(to_hex(alice.bytes), to_hex(a.at("alice_public")));
  EXPECT_EQ(to_hex(bob.bytes), to_hex(a.at("bob_public")));
  EXPECT_EQ(multiply(private_key(a, "alice_private"), bob), to_hex(a.at("shared")));
  EXPECT_EQ(multiply(private_key(a, "bob_private"), alice), to_hex(a.at("shared")));
}

TEST(X25519, RefusesPointsOfSmallOrder) {
  testing::SeededRandom random(1);
  const PrivateKey own = generate_private_key(random);
  for (const KnownAnswer& a : known_answers("x25519.txt", "small order")) {
    SCOPED_TRACE(to_hex(a.at("point")));
    PublicKey point{a.array<32>("point")};
    EXPECT_FALSE(shared_secret(own, point).has_value());
    point.bytes[31] |= std::byte{0x80};  // the highest bit is ignored
    EXPECT_FALSE(shared_secret(own, point).has_value());
  }
}

TEST(X25519, GeneratesClampedKeysFromTheGivenRandomness) {
  testing::ScriptedRandom random;
  Bytes<32> ones;
  ones.fill(std::byte{0xff});
  random.push(ones);
  random.push(Bytes<32>{});
  const PrivateKey high = generate_private_key(random);
  EXPECT_EQ(high.expose().front(), std::byte{0xf8});
  EXPECT_EQ(high.expose().back(), std::byte{0x7f});
  const PrivateKey low = generate_private_key(random);
  EXPECT_EQ(low.expose().front(), std::byte{0});
  EXPECT_EQ(low.expose().back(), std::byte{0x40});
  EXPECT_TRUE(random.exhausted());
}

}  // namespace
}  // namespace trellis::crypto
