// Known answers of the KEMs, all through the interface that the protocols use.

#include "crypto/kem.h"
#include "crypto/known_answers_test.h"
#include "crypto/nist_generator_test.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <string>

namespace trellis::crypto {
namespace {

using openssl::Owned;
using openssl::uchar;

std::string hex_of(const Expected<SharedSecret, KemError>& secret) {
  return secret ? to_hex(secret->expose()) : "error";
}

/// SHAKE128 as a stream: what is absorbed, then what is squeezed.
class Shake128 final : public Random {
 public:
  Shake128() { CHECK(EVP_DigestInit_ex2(context_.get(), EVP_shake128(), nullptr) == 1); }
  void absorb(ByteView bytes) {
    CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  void fill(MutableByteView target) override {
    CHECK(EVP_DigestSqueeze(context_.get(), uchar(target.data()), target.size()) == 1);
  }

 private:
  Owned<EVP_MD_CTX> context_{EVP_MD_CTX_new()};
};

/// The change that generate/main.go makes for `rejected`.
ByteVector corrupted(ByteVector ciphertext) {
  ciphertext[ciphertext.size() / 2] ^= std::byte{0x10};
  return ciphertext;
}

TEST(Kyber512Round3, GivesTheAnswersOfNistsFiles) {
  const Kem& kem = kyber512_round3();
  for (const KnownAnswer& a : known_answers("kyber512_round3.txt", "kyber512")) {
    testing::ScriptedRandom random;
    random.push(a.at("message"));
    const auto sent = kem.encapsulate(a.at("public_key"), random);
    ASSERT_TRUE(sent.has_value());
    EXPECT_TRUE(random.exhausted());
    EXPECT_EQ(to_hex(sent->ciphertext), to_hex(a.at("ciphertext")));
    EXPECT_EQ(to_hex(sent->secret.expose()), to_hex(a.at("secret")));
    const ByteView secret_key = a.at("secret_key");
    EXPECT_EQ(hex_of(kem.decapsulate(secret_key, a.at("ciphertext"))), to_hex(a.at("secret")));
    EXPECT_EQ(hex_of(kem.decapsulate(secret_key, corrupted(a.at("ciphertext")))),
              to_hex(a.at("rejected")));
  }
}

TEST(MlKem768, GivesTheAnswersOfGo) {
  const Kem& kem = ml_kem_768();
  for (const KnownAnswer& a : known_answers("ml_kem_768.txt", "ml-kem-768")) {
    testing::ScriptedRandom random;
    random.push(a.at("seed"));
    random.push(a.at("message"));
    const KemKeyPair pair = kem.generate(random);
    EXPECT_EQ(to_hex(pair.public_key), to_hex(a.at("public_key")));
    const auto sent = kem.encapsulate(pair.public_key, random);
    ASSERT_TRUE(sent.has_value());
    EXPECT_TRUE(random.exhausted());
    EXPECT_EQ(to_hex(sent->ciphertext), to_hex(a.at("ciphertext")));
    EXPECT_EQ(to_hex(sent->secret.expose()), to_hex(a.at("secret")));
    const ByteView secret_key = pair.secret_key.expose();
    EXPECT_EQ(hex_of(kem.decapsulate(secret_key, sent->ciphertext)), to_hex(a.at("secret")));
    EXPECT_EQ(hex_of(kem.decapsulate(secret_key, corrupted(sent->ciphertext))),
              to_hex(a.at("rejected")));
  }
}

// The test "accumulated" of C2SP's Community Cryptography Test Vectors, as in Go's crypto/mlkem.
TEST(MlKem768, GivesTheAccumulatedAnswerOfTenThousandRuns) {
  const Kem& kem = ml_kem_768();
  Shake128 input;
  Shake128 output;
  for (int i = 0; i < 10'000; ++i) {
    const KemKeyPair pair = kem.generate(input);
    output.absorb(pair.public_key);
    const auto sent = kem.encapsulate(pair.public_key, input);
    ASSERT_TRUE(sent.has_value());
    output.absorb(sent->ciphertext);
    output.absorb(sent->secret.expose());
    ASSERT_EQ(hex_of(kem.decapsulate(pair.secret_key.expose(), sent->ciphertext)),
              to_hex(sent->secret.expose()));
    ByteVector noise(kem.sizes().ciphertext);
    input.fill(noise);
    const auto rejected = kem.decapsulate(pair.secret_key.expose(), noise);
    ASSERT_TRUE(rejected.has_value());
    output.absorb(rejected->expose());
  }
  EXPECT_EQ(to_hex(output.bytes<32>()),
            "8a518cc63da366322a8e7a818c7a0d63483cb3528d34a4cf42f35d5ad73f22fc");
}

std::string shake256_64(ByteView bytes) {
  Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  CHECK(EVP_DigestInit_ex2(context.get(), EVP_shake256(), nullptr) == 1);
  CHECK(EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1);
  Bytes<64> hash;
  CHECK(EVP_DigestFinalXOF(context.get(), uchar(hash.data()), hash.size()) == 1);
  return to_hex(hash);
}

class McElieceAnswers : public ::testing::TestWithParam<const Kem*> {};

TEST_P(McElieceAnswers, AreThoseOfTheSubmission) {
  const Kem& kem = *GetParam();
  for (const KnownAnswer& a : known_answers("mceliece460896.txt", kem.name())) {
    NistGenerator random(a.array<48>("seed"));
    const KemKeyPair pair = kem.generate(random);
    EXPECT_EQ(shake256_64(pair.public_key), to_hex(a.at("public_key_hash")));
    EXPECT_EQ(shake256_64(pair.secret_key.expose()), to_hex(a.at("secret_key_hash")));
    const auto sent = kem.encapsulate(pair.public_key, random);
    ASSERT_TRUE(sent.has_value());
    EXPECT_EQ(to_hex(sent->ciphertext), to_hex(a.at("ciphertext")));
    EXPECT_EQ(to_hex(sent->secret.expose()), to_hex(a.at("secret")));
    EXPECT_EQ(hex_of(kem.decapsulate(pair.secret_key.expose(), a.at("ciphertext"))),
              to_hex(a.at("secret")));
  }
}

INSTANTIATE_TEST_SUITE_P(Kem, McElieceAnswers,
                         ::testing::Values(&mceliece460896pc(), &mceliece460896()),
                         [](const auto& kem) { return std::string(kem.param->name()); });

}  // namespace
}  // namespace trellis::crypto
