#include "crypto/aead.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace trellis::crypto {
namespace {

constexpr std::size_t kGuard = 64;

/// A text in a buffer with the rooms that PacketCipher asks for, and guards around them.
class Packet {
 public:
  Packet(std::size_t size, std::size_t misalignment, Random& random)
      : size_(size),
        start_(misalignment + kGuard + PacketCipher::kHeadroom),
        memory_(start_ + size + PacketCipher::kTailroom + kGuard) {
    random.fill(memory_);
  }
  MutableByteView text() { return MutableByteView(memory_).subspan(start_, size_); }
  MutableByteView sealed() { return MutableByteView(memory_).subspan(start_, size_ + kTagSize); }
  ByteView front_guard() const { return ByteView(memory_).first(start_ - PacketCipher::kHeadroom); }
  ByteView back_guard() const { return ByteView(memory_).last(kGuard); }
  /// Everything before the text, the headroom included.
  ByteView before_text() const { return ByteView(memory_).first(start_); }
  /// Everything behind the text: tag, tailroom, guard.
  ByteView after_text() const { return ByteView(memory_).subspan(start_ + size_); }
  const ByteVector& memory() const { return memory_; }

 private:
  std::size_t size_;
  std::size_t start_;
  ByteVector memory_;
};

bool same(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

std::uint64_t some_counter(Random& random) {
  constexpr std::array<std::uint64_t, 6> kEdges = {
      0, 1, 0xffff'ffff, 0x1'0000'0000, 0xffff'ffff'ffff'fff0, 0xffff'ffff'ffff'ffff};
  const std::uint64_t pick = random.below(16);
  return pick < kEdges.size() ? kEdges[pick] : random.u64();
}

/// A forged tag or text, or another counter, opens nothing and changes nothing.
void check_refusals(PacketCipher& cipher, std::uint64_t counter, const Packet& sealed,
                    Random& random) {
  Packet packet = sealed;
  const std::size_t bit = random.below(8 * packet.sealed().size());
  packet.sealed()[bit / 8] ^= std::byte{1} << (bit % 8);
  const ByteVector forged = packet.memory();
  ASSERT_FALSE(cipher.open_in_place(counter, packet.text())) << "bit " << bit;
  ASSERT_TRUE(same(packet.memory(), forged));

  packet = sealed;
  ASSERT_FALSE(cipher.open_in_place(counter + 1, packet.text()));
  ASSERT_TRUE(same(packet.memory(), sealed.memory()));
}

/// Seals and opens one packet, beside the AEAD.
void check_packet(PacketCipher& cipher, KeyView key, std::size_t size, Random& random) {
  const std::uint64_t counter = some_counter(random);
  Packet packet(size, random.below(64), random);
  const Packet original = packet;
  const ByteVector text = to_vector(packet.text());

  ByteVector expected(size + kTagSize);
  aead_seal(key, counter_nonce(counter), {}, text, expected);
  cipher.seal_in_place(counter, packet.text());
  ASSERT_TRUE(same(packet.sealed(), expected)) << size;
  ASSERT_TRUE(same(packet.front_guard(), original.front_guard())) << size;
  ASSERT_TRUE(same(packet.back_guard(), original.back_guard())) << size;

  const Packet sealed = packet;
  ASSERT_NO_FATAL_FAILURE(check_refusals(cipher, counter, sealed, random)) << size;

  ASSERT_TRUE(cipher.open_in_place(counter, packet.text())) << size;
  ASSERT_TRUE(same(packet.text(), text)) << size;
  ASSERT_TRUE(same(packet.before_text(), sealed.before_text())) << size;
  ASSERT_TRUE(same(packet.after_text(), sealed.after_text())) << size;
}

class PacketCipherTest : public ::testing::Test {
 protected:
  testing::SeededRandom random_{42};
  SymmetricKey key_ = SymmetricKey::make([this](auto target) { random_.fill(target); });
  PacketCipher cipher_{key_};
};

TEST_F(PacketCipherTest, EqualsTheAeadForPacketsOfAnySizeAndAlignment) {
  for (int i = 0; i < 100'000 && !HasFatalFailure(); ++i) {
    check_packet(cipher_, key_.expose(), random_.below(2001), random_);
  }
}

TEST_F(PacketCipherTest, EqualsTheAeadUpToTheLargestDatagram) {
  for (int i = 0; i < 300 && !HasFatalFailure(); ++i) {
    check_packet(cipher_, key_.expose(), random_.below(65536), random_);
  }
  check_packet(cipher_, key_.expose(), 65535, random_);
  check_packet(cipher_, key_.expose(), 0, random_);
}

TEST_F(PacketCipherTest, OpensNothingWithAnyOneBitFlipped) {
  Packet packet(100, 0, random_);
  cipher_.seal_in_place(7, packet.text());
  const Packet sealed = packet;
  for (std::size_t bit = 0; bit < 8 * packet.sealed().size(); ++bit) {
    Packet forged = sealed;
    forged.sealed()[bit / 8] ^= std::byte{1} << (bit % 8);
    const ByteVector before = forged.memory();
    EXPECT_FALSE(cipher_.open_in_place(7, forged.text())) << bit;
    EXPECT_TRUE(same(forged.memory(), before)) << bit;
  }
  EXPECT_TRUE(cipher_.open_in_place(7, packet.text()));
}

TEST_F(PacketCipherTest, OpensOnlyWithItsKey) {
  Packet packet(100, 3, random_);
  cipher_.seal_in_place(7, packet.text());
  const auto other_key = SymmetricKey::make([this](auto target) { random_.fill(target); });
  PacketCipher other(other_key);
  EXPECT_FALSE(other.open_in_place(7, packet.text()));
  EXPECT_TRUE(cipher_.open_in_place(7, packet.text()));
}

TEST_F(PacketCipherTest, WorksAfterBeingMoved) {
  check_packet(cipher_, key_.expose(), 1420, random_);  // so that there is state to move
  PacketCipher moved(std::move(cipher_));
  check_packet(moved, key_.expose(), 1420, random_);
  const auto other_key = SymmetricKey::make([this](auto target) { random_.fill(target); });
  PacketCipher assigned(other_key);
  assigned = std::move(moved);
  check_packet(assigned, key_.expose(), 1420, random_);
}

}  // namespace
}  // namespace trellis::crypto
