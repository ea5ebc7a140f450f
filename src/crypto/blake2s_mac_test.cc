#include "crypto/blake2s_mac.h"

#include "crypto/hash.h"
#include "testing/random.h"

#include <gtest/gtest.h>

namespace trellis::crypto {
namespace {

TEST(Blake2sMac, IsThatOfOpenSslForEverySizeOfKeyAndMessage) {
  testing::SeededRandom random(1);
  for (std::size_t size = 1; size <= 300; ++size) {
    ByteVector key(1 + size % 32);
    ByteVector message(size);
    random.fill(key);
    random.fill(message);
    const Blake2sMac mac(key);
    EXPECT_EQ(mac(message), blake2s_mac(key, message)) << size;
    EXPECT_EQ(mac(message), blake2s_mac(key, message)) << "again, " << size;
  }
}

}  // namespace
}  // namespace trellis::crypto
