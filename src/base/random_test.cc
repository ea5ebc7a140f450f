#include "base/random.h"

#include <gtest/gtest.h>

namespace trellis {
namespace {

/// Counts 0, 1, 2 ... in bytes.
class Counting final : public Random {
 public:
  void fill(MutableByteView target) override {
    for (std::byte& b : target) b = static_cast<std::byte>(next_++);
  }

 private:
  unsigned char next_ = 0;
};

class Constant final : public Random {
 public:
  explicit Constant(std::byte value) : value_(value) {}
  void fill(MutableByteView target) override {
    for (std::byte& b : target) b = value_;
  }

 private:
  std::byte value_;
};

TEST(Random, IsDrawnFrontToBack) {
  Counting random;
  EXPECT_EQ(random.bytes<3>(), (Bytes<3>{std::byte{0}, std::byte{1}, std::byte{2}}));
  EXPECT_EQ(random.bytes<1>(), Bytes<1>{std::byte{3}});
}

TEST(Random, StaysInItsRanges) {
  Constant low(std::byte{0});
  Constant high(std::byte{0xff});
  EXPECT_EQ(low.unit(), 0.0);
  EXPECT_LT(high.unit(), 1.0);
  EXPECT_GT(high.unit(), 0.999999);
  EXPECT_EQ(high.u32(), 0xffff'ffffU);
  EXPECT_EQ(high.u64(), ~std::uint64_t{0});
  EXPECT_EQ(high.below(0), 0U);
  EXPECT_EQ(high.below(1), 0U);
  for (const std::uint64_t bound : {2U, 3U, 10U, 1000U}) EXPECT_LT(high.below(bound), bound);
}

}  // namespace
}  // namespace trellis
