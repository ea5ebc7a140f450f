#include "crypto/hash_blake2b.h"

#include "crypto/known_answers_test.h"
#include "testing/random.h"

#include <gtest/gtest.h>
#include <sodium.h>

namespace trellis::crypto {
namespace {

const unsigned char* bytes_of(ByteView view) {
  return reinterpret_cast<const unsigned char*>(view.data());
}

Digest by_libsodium(ByteView key, ByteView data) {
  Digest digest;
  EXPECT_EQ(crypto_generichash_blake2b(reinterpret_cast<unsigned char*>(digest.data()),
                                       digest.size(), bytes_of(data), data.size(),
                                       key.empty() ? nullptr : bytes_of(key), key.size()),
            0);
  return digest;
}

TEST(Blake2b, OfEveryKernelIsThatOfLibsodium) {
  testing::SeededRandom random(1);
  const Bytes<32> key = random.bytes<32>();
  for (const std::size_t size : {0U, 1U, 31U, 127U, 128U, 129U, 255U, 256U, 257U, 1000U, 524160U}) {
    ByteVector data(size);
    random.fill(data);
    for (const auto compress : available_blake2b()) {
      EXPECT_EQ(blake2b_over(compress, key, data), by_libsodium(key, data)) << size;
      EXPECT_EQ(blake2b_over(compress, {}, data), by_libsodium({}, data)) << size;
    }
    EXPECT_EQ(blake2b_keyed(key, data), by_libsodium(key, data)) << size;
    EXPECT_EQ(blake2b(data), by_libsodium({}, data)) << size;
  }
}

TEST(Blake2b, OfEveryKernelIsThatOfItsAuthors) {
  for (const auto compress : available_blake2b()) {
    for (const KnownAnswer& a : known_answers("blake2.txt", "blake2b keyed")) {
      EXPECT_EQ(to_hex(blake2b_over(compress, a.array<32>("key"), a.at("text"))),
                to_hex(a.at("digest")));
    }
  }
}

TEST(Blake2b, TakesDataThatIsAlignedToNothing) {
  testing::SeededRandom random(2);
  ByteVector data(700);
  random.fill(data);
  for (const auto compress : available_blake2b()) {
    for (std::size_t from = 0; from < 64; ++from) {
      const ByteView part = ByteView(data).subspan(from);
      EXPECT_EQ(blake2b_over(compress, {}, part), by_libsodium({}, part)) << from;
    }
  }
}

}  // namespace
}  // namespace trellis::crypto
