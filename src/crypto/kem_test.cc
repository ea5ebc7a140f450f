// What holds for every KEM. Known answers: kem_answers_test.cc.

#include "crypto/kem.h"

#include "base/hex.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <string>

namespace trellis::crypto {
namespace {

std::string hex_of(const Expected<SharedSecret, KemError>& secret) {
  return secret ? to_hex(secret->expose()) : "error";
}

std::string hex_of(const SharedSecret& secret) { return to_hex(secret.expose()); }

ByteVector flipped(ByteVector bytes, std::size_t bit) {
  bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  return bytes;
}

class EveryKem : public ::testing::TestWithParam<const Kem*> {
 protected:
  const Kem& kem_ = *GetParam();
  testing::SeededRandom random_{17};
};

TEST_P(EveryKem, AgreesAndRejectsImplicitly) {
  const KemKeyPair pair = kem_.generate(random_);
  const KemKeyPair other_pair = kem_.generate(random_);
  ASSERT_NE(to_hex(ByteView(pair.public_key).first(64)),
            to_hex(ByteView(other_pair.public_key).first(64)));
  std::string last;
  for (int i = 0; i < 300; ++i) {
    const auto sent = kem_.encapsulate(pair.public_key, random_);
    ASSERT_TRUE(sent.has_value());
    const std::string secret = hex_of(sent->secret);
    ASSERT_NE(secret, last) << "randomness is used";
    ASSERT_EQ(hex_of(kem_.decapsulate(pair.secret_key.expose(), sent->ciphertext)), secret);

    const auto corrupted = flipped(sent->ciphertext, random_.below(8 * sent->ciphertext.size()));
    const std::string rejected = hex_of(kem_.decapsulate(pair.secret_key.expose(), corrupted));
    ASSERT_EQ(rejected.size(), 64U) << "a secret, not an error";
    ASSERT_NE(rejected, secret);
    ASSERT_EQ(hex_of(kem_.decapsulate(pair.secret_key.expose(), corrupted)), rejected);
    ASSERT_NE(hex_of(kem_.decapsulate(other_pair.secret_key.expose(), sent->ciphertext)), secret);
    last = secret;
  }
}

TEST_P(EveryKem, IsMadeOfItsRandomnessAlone) {
  testing::SeededRandom first(5);
  testing::SeededRandom second(5);
  const KemKeyPair a = kem_.generate(first);
  const KemKeyPair b = kem_.generate(second);
  EXPECT_TRUE(a.public_key == b.public_key);
  EXPECT_TRUE(equal(a.secret_key.expose(), b.secret_key.expose()));
  const auto from_a = kem_.encapsulate(a.public_key, first);
  const auto from_b = kem_.encapsulate(b.public_key, second);
  EXPECT_EQ(to_hex(from_a->ciphertext), to_hex(from_b->ciphertext));
  EXPECT_EQ(hex_of(from_a->secret), hex_of(from_b->secret));
}

TEST_P(EveryKem, HasTheSizesThatItSays) {
  const KemSizes sizes = kem_.sizes();
  const KemKeyPair pair = kem_.generate(random_);
  EXPECT_EQ(pair.public_key.size(), sizes.public_key);
  EXPECT_EQ(pair.secret_key.size(), sizes.secret_key);
  const auto sent = kem_.encapsulate(pair.public_key, random_);
  ASSERT_TRUE(sent.has_value());
  EXPECT_EQ(sent->ciphertext.size(), sizes.ciphertext);
}

TEST_P(EveryKem, CallsAWrongSizeAnError) {
  const KemSizes sizes = kem_.sizes();
  const KemKeyPair pair = kem_.generate(random_);
  const auto sent = kem_.encapsulate(pair.public_key, random_);
  ASSERT_TRUE(sent.has_value());
  const auto resized = [](ByteView bytes, std::size_t size) {
    ByteVector result = to_vector(bytes);
    result.resize(size);
    return result;
  };
  for (const std::size_t size : {std::size_t{0}, sizes.public_key - 1, sizes.public_key + 1}) {
    const auto result = kem_.encapsulate(resized(pair.public_key, size), random_);
    ASSERT_FALSE(result.has_value()) << size;
    EXPECT_EQ(result.error(), KemError::WrongSize);
  }
  for (const std::size_t size : {std::size_t{0}, sizes.ciphertext - 1, sizes.ciphertext + 1}) {
    const auto result = kem_.decapsulate(pair.secret_key.expose(), resized(sent->ciphertext, size));
    ASSERT_FALSE(result.has_value()) << size;
    EXPECT_EQ(result.error(), KemError::WrongSize);
  }
  for (const std::size_t size : {std::size_t{0}, sizes.secret_key - 1, sizes.secret_key + 1}) {
    const auto result = kem_.decapsulate(resized(pair.secret_key.expose(), size), sent->ciphertext);
    ASSERT_FALSE(result.has_value()) << size;
    EXPECT_EQ(result.error(), KemError::WrongSize);
  }
}

INSTANTIATE_TEST_SUITE_P(Kem, EveryKem,
                         ::testing::Values(&kyber512_round3(), &ml_kem_768(), &mceliece460896pc(),
                                           &mceliece460896()),
                         [](const auto& kem) { return std::string(kem.param->name()); });

class EveryLatticeKem : public EveryKem {};

// [FIPS 203 7.2, 7.3]: a public key whose coefficients are not reduced, a secret key whose hash of
// the public key does not fit.
TEST_P(EveryLatticeKem, CallsWhatIsNoKeyAnError) {
  KemKeyPair pair = kem_.generate(random_);
  const auto sent = kem_.encapsulate(pair.public_key, random_);
  ASSERT_TRUE(sent.has_value());
  const ByteVector unreduced(pair.public_key.size(), std::byte{0xff});
  const auto encapsulated = kem_.encapsulate(unreduced, random_);
  ASSERT_FALSE(encapsulated.has_value());
  EXPECT_EQ(encapsulated.error(), KemError::InvalidKey);
  const MutableByteView secret_key = pair.secret_key.expose_mutable();
  secret_key[secret_key.size() - 64] ^= std::byte{1};  // of H(ek); z are the last 32
  const auto decapsulated = kem_.decapsulate(secret_key, sent->ciphertext);
  ASSERT_FALSE(decapsulated.has_value());
  EXPECT_EQ(decapsulated.error(), KemError::InvalidKey);
}

INSTANTIATE_TEST_SUITE_P(Kem, EveryLatticeKem, ::testing::Values(&kyber512_round3(), &ml_kem_768()),
                         [](const auto& kem) { return std::string(kem.param->name()); });

// Decoding gives the same error vector to both forms; the plaintext confirmation must make the
// secrets differ, or one form could pass for the other.
TEST(McEliece, FormsShareKeysAndSyndromeButNotTheSecret) {
  testing::SeededRandom random(23);
  const KemKeyPair pair = mceliece460896pc().generate(random);
  testing::SeededRandom first(29);
  testing::SeededRandom second(29);
  const auto confirmed = mceliece460896pc().encapsulate(pair.public_key, first);
  const auto plain = mceliece460896().encapsulate(pair.public_key, second);
  ASSERT_TRUE(confirmed && plain);
  EXPECT_EQ(to_hex(ByteView(confirmed->ciphertext).first(156)), to_hex(plain->ciphertext));
  EXPECT_NE(hex_of(confirmed->secret), hex_of(plain->secret));
  EXPECT_EQ(hex_of(mceliece460896().decapsulate(pair.secret_key.expose(), plain->ciphertext)),
            hex_of(plain->secret));
}

TEST(Suite, IsFoundByItsNumber) {
  const Suite* suite = find_suite(1);
  ASSERT_NE(suite, nullptr);
  EXPECT_EQ(suite->static_kem, &mceliece460896pc());
  EXPECT_EQ(suite->ephemeral_kem, &kyber512_round3());
  EXPECT_EQ(suite, &suite_rosenpass());
  EXPECT_EQ(find_suite(0), nullptr);
  EXPECT_EQ(find_suite(2), nullptr);
  EXPECT_EQ(find_suite(255), nullptr);
}

}  // namespace
}  // namespace trellis::crypto
