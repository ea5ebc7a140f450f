#include "node/pair/key_slots.h"

#include <gtest/gtest.h>

namespace trellis::pair {
namespace {

constexpr TimePoint kStart{};

KeySlots::Slot slot(std::uint64_t number, TimePoint age_from = kStart) {
  Bytes<32> key{};
  key[0] = static_cast<std::byte>(number);
  return {KeyNumber{number}, crypto::PresharedKey(key), age_from};
}

TEST(KeySlots, AKeyIsCurrentOnlyAfterProof) {
  KeySlots slots;
  slots.hold(slot(1));
  EXPECT_FALSE(slots.current());
  EXPECT_FALSE(slots.prove(KeyNumber{2}));
  EXPECT_TRUE(slots.prove(KeyNumber{1}));
  EXPECT_EQ(slots.current()->number, KeyNumber{1});
  EXPECT_FALSE(slots.pending());
}

TEST(KeySlots, AnAcceptedKeyLeavesTheOwnPendingOneAlone) {
  KeySlots slots;
  slots.hold(slot(1));
  slots.accept(slot(2));
  EXPECT_EQ(slots.current()->number, KeyNumber{2});
  EXPECT_EQ(slots.pending()->number, KeyNumber{1});
  slots.release(KeyNumber{1});
  EXPECT_FALSE(slots.pending());
  ASSERT_EQ(slots.retired().size(), 1U);
  EXPECT_EQ(slots.retired()[0].number, KeyNumber{1});
}

TEST(KeySlots, KeepsThreeRetiredKeysAndDropsTheOldest) {
  KeySlots slots;
  for (std::uint64_t n = 1; n <= 6; ++n) slots.accept(slot(n));
  ASSERT_EQ(slots.retired().size(), KeySlots::kRetiredMax);
  EXPECT_EQ(slots.retired().front().number, KeyNumber{3});
}

TEST(KeySlots, NoKeyOutlives180SecondsInAnySlot) {
  KeySlots slots;
  slots.accept(slot(1, kStart));
  slots.accept(slot(2, kStart + 1s));
  slots.hold(slot(3, kStart + 2s));
  EXPECT_EQ(slots.next_expiry(), kStart + 180s);
  EXPECT_FALSE(slots.expire(kStart + 180s - 1ns));
  EXPECT_TRUE(slots.expire(kStart + 180s));
  EXPECT_TRUE(slots.retired().empty());
  EXPECT_TRUE(slots.expire(kStart + 181s));
  EXPECT_FALSE(slots.current());
  EXPECT_TRUE(slots.expire(kStart + 182s));
  EXPECT_TRUE(slots.empty());
  EXPECT_FALSE(slots.next_expiry());
}

}  // namespace
}  // namespace trellis::pair
