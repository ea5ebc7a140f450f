#include "crypto/keys.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ostream>

namespace trellis::crypto {
namespace {

template <class T>
concept Streamable = requires(std::ostream& stream, const T& value) { stream << value; };

// No kind of secret becomes another, a copy, or a text.
template <class Key, class... Others>
constexpr bool kStaysItself =
    !std::is_copy_constructible_v<Key> && !std::is_copy_assignable_v<Key> &&
    std::is_nothrow_move_constructible_v<Key> && !fmt::is_formattable<Key>::value &&
    !Streamable<Key> && !std::equality_comparable<Key> &&
    (!std::is_constructible_v<Key, const Others&> && ...) &&
    (!std::is_constructible_v<Key, Others&&> && ...) &&
    (!std::is_assignable_v<Key&, const Others&> && ...) &&
    (!std::is_assignable_v<Key&, Others&&> && ...);
static_assert(kStaysItself<PrivateKey, SharedSecret, PresharedKey, SymmetricKey, ChainingKey>);
static_assert(kStaysItself<SharedSecret, PrivateKey, PresharedKey, SymmetricKey, ChainingKey>);
static_assert(kStaysItself<PresharedKey, PrivateKey, SharedSecret, SymmetricKey, ChainingKey>);
static_assert(kStaysItself<SymmetricKey, PrivateKey, SharedSecret, PresharedKey, ChainingKey>);
static_assert(kStaysItself<ChainingKey, PrivateKey, SharedSecret, PresharedKey, SymmetricKey>);
static_assert(!std::is_convertible_v<PrivateKey, ByteView>);
static_assert(!std::is_convertible_v<std::span<const std::byte, 32>, PrivateKey>);
static_assert(!std::is_constructible_v<PrivateKey, const PublicKey&>);

TEST(Equal, TellsWhetherBytesAreTheSame) {
  const ByteVector bytes(100, std::byte{7});
  EXPECT_TRUE(equal(bytes, ByteVector(bytes)));
  EXPECT_TRUE(equal({}, {}));
  EXPECT_FALSE(equal(bytes, ByteView(bytes).first(99)));
  EXPECT_FALSE(equal(bytes, {}));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    ByteVector other = bytes;
    other[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(equal(bytes, other)) << bit;
  }
}

TEST(PublicKey, IsAnOrderedValueWithAHash) {
  const PublicKey zero;
  PublicKey one;
  one.bytes[31] = std::byte{1};
  EXPECT_EQ(zero, PublicKey{});
  EXPECT_LT(zero, one);
  EXPECT_EQ(std::hash<PublicKey>{}(one), std::hash<PublicKey>{}(PublicKey(one)));
  EXPECT_NE(std::hash<PublicKey>{}(one), std::hash<PublicKey>{}(zero));
}

}  // namespace
}  // namespace trellis::crypto
