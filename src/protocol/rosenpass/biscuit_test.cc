#include "protocol/rosenpass/biscuit.h"

#include "protocol/rosenpass/constants.h"
#include "testing/random.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass {
namespace {

constexpr TimePoint kStart{1000s};
constexpr crypto::Digest kBinding{std::byte{1}};

Biscuit some_biscuit() { return {PeerHash{}, 7, crypto::ChainingKey(Bytes<32>{std::byte{9}})}; }

TEST(BiscuitKeys, NeverTryASlotThatHoldsNoKey) {
  testing::SeededRandom random(1);
  const crypto::SymmetricKey zero = crypto::SymmetricKey::zero();
  const SealedBiscuit forged = seal_biscuit(zero, kBinding, some_biscuit(), random);
  ASSERT_TRUE(open_biscuit(zero, kBinding, forged)) << "it is a good biscuit, of a key of zeros";
  BiscuitKeys keys;
  EXPECT_FALSE(keys.open(kStart, kBinding, forged));
  (void)keys.sealing_key(kStart, random);
  EXPECT_FALSE(keys.open(kStart, kBinding, forged)) << "one slot is empty still";
  EXPECT_FALSE(keys.open(kStart + kBiscuitEpoch, kBinding, forged)) << "the other one is";
  EXPECT_FALSE(keys.open(kStart + 2 * kBiscuitEpoch, kBinding, forged)) << "both are again";
}

TEST(BiscuitKeys, SealForOneEpochAndOpenForTwo) {
  testing::SeededRandom random(2);
  BiscuitKeys keys;
  EXPECT_FALSE(keys.next_expiry());
  const auto sealed =
      seal_biscuit(keys.sealing_key(kStart, random), kBinding, some_biscuit(), random);
  EXPECT_EQ(keys.next_expiry(), kStart + kBiscuitEpoch);
  const auto opened = keys.open(kStart + kBiscuitEpoch - 1ns, kBinding, sealed);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->number, 7U);
  (void)keys.sealing_key(kStart + kBiscuitEpoch, random);
  const auto second = seal_biscuit(keys.sealing_key(kStart + kBiscuitEpoch, random), kBinding,
                                   some_biscuit(), random);
  EXPECT_TRUE(keys.open(kStart + 2 * kBiscuitEpoch - 1ns, kBinding, sealed));
  EXPECT_FALSE(keys.open(kStart + 2 * kBiscuitEpoch, kBinding, sealed));
  EXPECT_TRUE(keys.open(kStart + 3 * kBiscuitEpoch - 1ns, kBinding, second));
  keys.expire(kStart + 3 * kBiscuitEpoch);
  EXPECT_FALSE(keys.next_expiry()) << "nothing is left of them when nobody needs one";
}

TEST(Biscuit, IsBoundToItsExchange) {
  testing::SeededRandom random(3);
  const auto key = crypto::SymmetricKey::make([&](auto target) { random.fill(target); });
  const SealedBiscuit sealed = seal_biscuit(key, kBinding, some_biscuit(), random);
  EXPECT_FALSE(open_biscuit(key, crypto::Digest{std::byte{2}}, sealed));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    SealedBiscuit changed = sealed;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(open_biscuit(key, kBinding, changed)) << i;
  }
}

TEST(BiscuitCounter, CountsAnAgeFromTheMarkBefore) {
  BiscuitCounter counter;
  EXPECT_FALSE(counter.issued_at(kStart, 0));
  EXPECT_FALSE(counter.issued_at(kStart, 1)) << "never issued";
  EXPECT_EQ(counter.issue(kStart), 1U);
  EXPECT_EQ(counter.issue(kStart + 9s), 2U);
  EXPECT_EQ(counter.issue(kStart + 10s), 3U);
  EXPECT_EQ(counter.issue(kStart + 100s), 4U);
  const TimePoint now = kStart + 101s;
  EXPECT_EQ(counter.issued_at(now, 1), kStart);
  EXPECT_EQ(counter.issued_at(now, 2), kStart) << "older than it is, never younger";
  EXPECT_EQ(counter.issued_at(now, 3), kStart + 10s);
  EXPECT_EQ(counter.issued_at(now, 4), kStart + 100s);
  EXPECT_FALSE(counter.issued_at(now, 5));
}

TEST(BiscuitCounter, KnowsNothingOlderThanAKeyMayBe) {
  BiscuitCounter counter;
  (void)counter.issue(kStart);
  EXPECT_TRUE(counter.issued_at(kStart + kRejectAfter - 1ns, 1));
  EXPECT_FALSE(counter.issued_at(kStart + kRejectAfter, 1));
  // And not after many others were issued, when its mark is long gone.
  for (int i = 1; i < 100'000; ++i) (void)counter.issue(kStart + i * 10ms);
  EXPECT_FALSE(counter.issued_at(kStart + 1000s, 1));
  EXPECT_TRUE(counter.issued_at(kStart + 1000s, 100'000));
}

}  // namespace
}  // namespace trellis::rosenpass
