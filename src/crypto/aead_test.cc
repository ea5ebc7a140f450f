#include "crypto/aead.h"

#include "crypto/known_answers_test.h"

#include <gtest/gtest.h>

namespace trellis::crypto {
namespace {

bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; });
}

/// Both AEADs have one shape; a test of it is written once.
struct ChaCha {
  using NonceType = Nonce;
  static constexpr const char* kFile = "chacha20poly1305.txt";
  static constexpr const char* kSection = "chacha20poly1305";
  static constexpr auto kSeal = aead_seal;
  static constexpr auto kOpen = aead_open;
};
struct XChaCha {
  using NonceType = XNonce;
  static constexpr const char* kFile = "xchacha20poly1305.txt";
  static constexpr const char* kSection = "xchacha20poly1305";
  static constexpr auto kSeal = xaead_seal;
  static constexpr auto kOpen = xaead_open;
};

template <class Cipher>
class Aead : public ::testing::Test {
 protected:
  struct Case {
    explicit Case(const KnownAnswer& a)
        : key(a.array<32>("key")),
          nonce(a.array<std::tuple_size_v<typename Cipher::NonceType>>("nonce")),
          additional(a.at("additional")),
          text(a.at("text")),
          sealed(a.at("sealed")) {}
    Bytes<32> key;
    typename Cipher::NonceType nonce;
    ByteVector additional;
    ByteVector text;
    ByteVector sealed;
  };
  static std::vector<Case> cases() {
    std::vector<Case> result;
    for (const auto& a : known_answers(Cipher::kFile, Cipher::kSection)) result.emplace_back(a);
    return result;
  }
};
using Ciphers = ::testing::Types<ChaCha, XChaCha>;
TYPED_TEST_SUITE(Aead, Ciphers);

TYPED_TEST(Aead, SealsAndOpensLikeItsSpecification) {
  for (const auto& c : this->cases()) {
    ByteVector sealed(c.text.size() + kTagSize);
    TypeParam::kSeal(c.key, c.nonce, c.additional, c.text, sealed);
    EXPECT_EQ(to_hex(sealed), to_hex(c.sealed));
    ByteVector text(c.text.size());
    EXPECT_TRUE(TypeParam::kOpen(c.key, c.nonce, c.additional, c.sealed, text));
    EXPECT_EQ(to_hex(text), to_hex(c.text));
  }
}

TYPED_TEST(Aead, OpensNothingThatWasChangedAndLeavesZeros) {
  const auto c = this->cases().at(0);
  const auto opens = [&](ByteView key, const auto& nonce, ByteView additional, ByteView sealed) {
    ByteVector text(sealed.size() - kTagSize, std::byte{0xaa});
    const bool good = TypeParam::kOpen(KeyView(key), nonce, additional, sealed, text);
    if (!good) {
      EXPECT_TRUE(all_zero(text));
    }
    return good;
  };
  ASSERT_TRUE(opens(c.key, c.nonce, c.additional, c.sealed));
  for (std::size_t bit = 0; bit < 8 * c.sealed.size(); ++bit) {
    ByteVector sealed = c.sealed;
    sealed[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(opens(c.key, c.nonce, c.additional, sealed)) << bit;
  }
  auto key = c.key;
  key[31] ^= std::byte{1};
  EXPECT_FALSE(opens(key, c.nonce, c.additional, c.sealed));
  auto nonce = c.nonce;
  nonce[0] ^= std::byte{1};
  EXPECT_FALSE(opens(c.key, nonce, c.additional, c.sealed));
  auto additional = c.additional;
  additional[0] ^= std::byte{1};
  EXPECT_FALSE(opens(c.key, c.nonce, additional, c.sealed));
  EXPECT_FALSE(opens(c.key, c.nonce, {}, c.sealed));
  EXPECT_FALSE(opens(c.key, c.nonce, c.additional, ByteView(c.sealed).first(c.sealed.size() - 1)));
}

TYPED_TEST(Aead, SealsAnEmptyTextToATag) {
  const auto c = this->cases().at(0);
  ByteVector tag(kTagSize);
  TypeParam::kSeal(c.key, c.nonce, {}, {}, tag);
  EXPECT_TRUE(TypeParam::kOpen(c.key, c.nonce, {}, tag, {}));
  EXPECT_FALSE(TypeParam::kOpen(c.key, c.nonce, c.additional, tag, {}));
  tag[0] ^= std::byte{1};
  EXPECT_FALSE(TypeParam::kOpen(c.key, c.nonce, {}, tag, {}));
}

TYPED_TEST(Aead, OpensNothingShorterThanATag) {
  const auto c = this->cases().at(0);
  for (std::size_t size = 0; size < kTagSize; ++size) {
    EXPECT_FALSE(TypeParam::kOpen(c.key, c.nonce, {}, ByteView(c.sealed).first(size), {}));
  }
}

TEST(CounterNonce, IsFourZerosAndTheCounterLittleEndian) {
  EXPECT_EQ(to_hex(counter_nonce(0x0102030405060708)), "000000000807060504030201");
}

}  // namespace
}  // namespace trellis::crypto
