#include "crypto/box.h"

#include "crypto/known_answers_test.h"
#include "crypto/x25519.h"
#include "testing/random.h"

#include <gtest/gtest.h>

namespace trellis::crypto {
namespace {

TEST(Box, IsTheOneOfNaCl) {
  const KnownAnswer a = known_answers("box.txt", "box").at(0);
  testing::ScriptedRandom random;
  random.push(a.at("nonce"));
  const ByteVector sealed = box_seal(PrivateKey(a.array<32>("alice_private")),
                                     {a.array<32>("bob_public")}, a.at("text"), random);
  EXPECT_TRUE(random.exhausted());
  EXPECT_EQ(to_hex(sealed), to_hex(a.at("nonce")) + to_hex(a.at("sealed")));
  const auto text =
      box_open(PrivateKey(a.array<32>("bob_private")), {a.array<32>("alice_public")}, sealed);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(to_hex(*text), to_hex(a.at("text")));
}

TEST(Box, OpensNothingForOthersNothingChangedNothingShort) {
  testing::SeededRandom random(3);
  const PrivateKey alice = generate_private_key(random);
  const PrivateKey bob = generate_private_key(random);
  const PrivateKey eve = generate_private_key(random);
  const ByteVector sealed = box_seal(alice, public_key(bob), as_bytes("hello"), random);
  ASSERT_TRUE(box_open(bob, public_key(alice), sealed).has_value());
  EXPECT_FALSE(box_open(eve, public_key(alice), sealed).has_value());
  EXPECT_FALSE(box_open(bob, public_key(eve), sealed).has_value());
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    ByteVector changed = sealed;
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(box_open(bob, public_key(alice), changed).has_value()) << bit;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(box_open(bob, public_key(alice), ByteView(sealed).first(size)).has_value());
  }
}

TEST(Box, HoldsAnEmptyText) {
  testing::SeededRandom random(4);
  const PrivateKey own = generate_private_key(random);
  const ByteVector sealed = box_seal(own, public_key(own), {}, random);
  const auto text = box_open(own, public_key(own), sealed);
  ASSERT_TRUE(text.has_value());
  EXPECT_TRUE(text->empty());
}

TEST(Box, WithItsKeyComputedBeforeIsTheSame) {
  const KnownAnswer a = known_answers("box.txt", "box").at(0);
  const auto of_alice =
      box_key(PrivateKey(a.array<32>("alice_private")), {a.array<32>("bob_public")});
  const auto of_bob =
      box_key(PrivateKey(a.array<32>("bob_private")), {a.array<32>("alice_public")});
  ASSERT_TRUE(of_alice.has_value() && of_bob.has_value());
  testing::ScriptedRandom random;
  random.push(a.at("nonce"));
  const ByteVector sealed = box_seal(*of_alice, a.at("text"), random);
  EXPECT_EQ(to_hex(sealed), to_hex(a.at("nonce")) + to_hex(a.at("sealed")));
  const auto text = box_open(*of_bob, sealed);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(to_hex(*text), to_hex(a.at("text")));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(box_open(*of_bob, ByteView(sealed).first(size)).has_value());
  }
}

TEST(Box, HasNoKeyWithOneOfSmallOrder) {
  testing::SeededRandom random(5);
  const PrivateKey own = generate_private_key(random);
  EXPECT_FALSE(box_key(own, PublicKey{}).has_value());
}

}  // namespace
}  // namespace trellis::crypto
