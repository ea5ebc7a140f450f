#include "protocol/ice/credentials.h"

#include "base/hex.h"
#include "crypto/x25519.h"
#include "protocol/ice/derived_credentials.h"
#include "testing/random.h"

#include <gtest/gtest.h>

namespace trellis::ice {
namespace {

TEST(Credentials, AreReadAsTheyAreWritten) {
  testing::SeededRandom random(1);
  const Credentials made = generate_credentials(random);
  EXPECT_EQ(made.ufrag.size(), kUfragSize);
  EXPECT_EQ(made.password.size(), kPasswordSize);
  const auto read = parse_credentials(made.to_string());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->to_string(), made.to_string());
  EXPECT_NE(generate_credentials(random).to_string(), made.to_string());
}

TEST(Credentials, OfStockNetBirdAreRead) {
  const auto read = parse_credentials("jwkcrnimqqmurevk:kebreazwwljehenwrqlqtigplbranlaa");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ufrag, "jwkcrnimqqmurevk");
}

TEST(Credentials, OfWrongShapeAreRefused) {
  const std::string password(22, 'p');
  for (const std::string& bad :
       {std::string(), std::string(":"), "abc:" + password, std::string("abcd:short"),
        "abcd" + password, "ab?d:" + password, "abcd:" + password + ":", "abcd:" + password + " ",
        std::string(257, 'u') + ":" + password, "abcd:" + std::string(257, 'p')}) {
    EXPECT_FALSE(parse_credentials(bad)) << bad;
  }
}

TEST(DerivedCredentials, AreTheSameAtBothEnds) {
  testing::SeededRandom random(2);
  const auto alice = crypto::generate_private_key(random);
  const auto bob = crypto::generate_private_key(random);
  const auto alice_public = crypto::public_key(alice);
  const auto bob_public = crypto::public_key(bob);
  const auto at_alice = derive_credentials(alice, alice_public, bob_public);
  const auto at_bob = derive_credentials(bob, bob_public, alice_public);
  ASSERT_TRUE(at_alice && at_bob);
  EXPECT_EQ(at_alice->local.to_string(), at_bob->remote.to_string());
  EXPECT_EQ(at_alice->remote.to_string(), at_bob->local.to_string());
  EXPECT_NE(at_alice->local.to_string(), at_alice->remote.to_string());
  EXPECT_TRUE(parse_credentials(at_alice->local.to_string())) << "of the ice alphabet";
}

TEST(DerivedCredentials, DifferForEachPair) {
  testing::SeededRandom random(3);
  const auto alice = crypto::generate_private_key(random);
  const auto alice_public = crypto::public_key(alice);
  const auto bob = crypto::public_key(crypto::generate_private_key(random));
  const auto carol = crypto::public_key(crypto::generate_private_key(random));
  EXPECT_NE(derive_credentials(alice, alice_public, bob)->local.to_string(),
            derive_credentials(alice, alice_public, carol)->local.to_string());
}

TEST(DerivedCredentials, StayWhatTheyAre) {
  // An agent of another version must come to the same.
  const auto alice = crypto::PrivateKey(Bytes<32>{std::byte{16}});
  const auto bob = crypto::PrivateKey(Bytes<32>{std::byte{32}});
  const auto pair = derive_credentials(alice, crypto::public_key(alice), crypto::public_key(bob));
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->local.to_string(), "dGM3L4YiD/8plWzC:m0pYLu6xDQb7jNiFZMP5M32+7GCzgogp");
  EXPECT_EQ(pair->remote.to_string(), "9/6y8KhX7LcCPzYy:zNScuaOvQUorgqCNCc6c3YP6iC9XRPos");
}

TEST(DerivedCredentials, OfAKeyOfSmallOrderAreNone) {
  testing::SeededRandom random(4);
  const auto alice = crypto::generate_private_key(random);
  EXPECT_FALSE(derive_credentials(alice, crypto::public_key(alice), crypto::PublicKey{}));
}

}  // namespace
}  // namespace trellis::ice
