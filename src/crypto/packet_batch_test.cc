#include "crypto/packet_batch.h"

#include "testing/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

namespace trellis::crypto {
namespace {

constexpr std::size_t kGuard = 64;

std::uint64_t some_counter(Random& random) {
  constexpr std::array<std::uint64_t, 6> kEdges = {
      0, 1, 0xffff'ffff, 0x1'0000'0000, 0xffff'ffff'ffff'fff0, 0xffff'ffff'ffff'ffff};
  const std::uint64_t pick = random.below(16);
  return pick < kEdges.size() ? kEdges[pick] : random.u64();
}

/// Bytes at any alignment between two guards.
class Room {
 public:
  Room(std::size_t size, Random& random)
      : start_(kGuard + random.below(64)), size_(size), memory_(start_ + size + kGuard) {
    random.fill(memory_);
    before_ = memory_;
  }
  MutableByteView bytes() { return MutableByteView(memory_).subspan(start_, size_); }
  bool guards_are_whole() const {
    return std::equal(memory_.begin(), memory_.begin() + at(start_), before_.begin()) &&
           std::equal(memory_.begin() + at(start_ + size_), memory_.end(),
                      before_.begin() + at(start_ + size_));
  }

 private:
  static std::ptrdiff_t at(std::size_t i) { return static_cast<std::ptrdiff_t>(i); }
  std::size_t start_;
  std::size_t size_;
  ByteVector memory_;
  ByteVector before_;
};

struct KeyPair {
  SymmetricKey key;
  PacketKey packet_key;
};

std::vector<KeyPair> some_keys(std::size_t count, Random& random) {
  std::vector<KeyPair> keys;
  for (std::size_t i = 0; i < count; ++i) {
    auto key = SymmetricKey::make([&](auto target) { random.fill(target); });
    PacketKey packet_key(key);
    keys.push_back({std::move(key), std::move(packet_key)});
  }
  return keys;
}

/// A packet of a batch, and what the AEAD of OpenSSL makes of it.
struct Sample {
  Sample(const KeyPair& key_pair, std::size_t size, bool apart, Random& random)
      : keys(&key_pair),
        counter(some_counter(random)),
        in_place(!apart),
        source(size + kTagSize, random),
        target(size + kTagSize, random),
        text(to_vector(source.bytes().first(size))),
        expected(size + kTagSize) {
    aead_seal(keys->key.expose(), counter_nonce(counter), {}, text, expected);
  }

  Room& room() { return in_place ? source : target; }
  SealPacket to_seal() {
    return {&keys->packet_key, counter, source.bytes().first(text.size()), room().bytes().data()};
  }
  OpenPacket to_open() { return {&keys->packet_key, counter, room().bytes(), !forged}; }

  bool is_sealed() {
    const MutableByteView bytes = room().bytes();
    return std::equal(bytes.begin(), bytes.end(), expected.begin()) && source.guards_are_whole() &&
           target.guards_are_whole();
  }
  void forge(Random& random) {
    forged = true;
    const std::size_t bit = random.below(8 * expected.size());
    expected[bit / 8] ^= std::byte{1} << (bit % 8);
    std::copy(expected.begin(), expected.end(), room().bytes().begin());
  }
  bool is_rightly_opened(bool opened) {
    if (opened == forged) return false;
    const MutableByteView bytes = room().bytes();
    ByteVector wanted = expected;
    if (!forged) std::copy(text.begin(), text.end(), wanted.begin());
    return std::equal(bytes.begin(), bytes.end(), wanted.begin()) && source.guards_are_whole() &&
           target.guards_are_whole();
  }

  const KeyPair* keys;
  std::uint64_t counter;
  bool in_place;
  bool forged = false;
  Room source;
  Room target;
  ByteVector text;
  ByteVector expected;
};

class PacketBatchTest : public ::testing::TestWithParam<PacketKernels> {
 protected:
  /// A batch of any size with texts of up to `size_max` bytes, under few keys or many.
  std::vector<Sample> some_batch(std::size_t batch_max, std::size_t size_max) {
    const std::size_t count = random_.below(batch_max) + 1;
    const std::size_t key_count = random_.below(2) == 0 ? 1 : random_.below(keys_.size()) + 1;
    const bool alike = random_.below(2) == 0;
    const std::size_t common = random_.below(size_max + 1);
    std::vector<Sample> batch;
    batch.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = alike ? common : random_.below(size_max + 1);
      batch.emplace_back(keys_[random_.below(key_count)], size, random_.below(2) == 0, random_);
    }
    return batch;
  }

  void check(std::vector<Sample>& batch) {
    std::vector<SealPacket> seals;
    for (Sample& sample : batch) seals.push_back(sample.to_seal());
    seal(seals, GetParam());
    for (Sample& sample : batch) {
      ASSERT_TRUE(sample.is_sealed()) << sample.text.size() << " of " << batch.size();
    }
    std::vector<OpenPacket> opens;
    for (Sample& sample : batch) {
      if (random_.below(4) == 0) sample.forge(random_);
      opens.push_back(sample.to_open());
    }
    open(opens, GetParam());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      ASSERT_TRUE(batch[i].is_rightly_opened(opens[i].opened))
          << batch[i].text.size() << " of " << batch.size() << (batch[i].forged ? " forged" : "");
    }
  }

  testing::SeededRandom random_{42};
  std::vector<KeyPair> keys_ = some_keys(20, random_);
};

TEST_P(PacketBatchTest, EqualsTheAeadForEachLength) {
  for (std::size_t size = 0; size <= 2000 && !HasFatalFailure(); ++size) {
    std::vector<Sample> batch;
    batch.emplace_back(keys_[0], size, size % 2 == 0, random_);
    check(batch);
  }
}

TEST_P(PacketBatchTest, EqualsTheAeadForBatchesOfMixedLengthsAndKeys) {
  // All that is random follows from the seed, so that a longer run begins with the same packets.
  const char* wanted = std::getenv("TRELLIS_TEST_PACKETS");
  const std::size_t packets_wanted = wanted ? std::strtoull(wanted, nullptr, 10) : 30'000;
  std::size_t packets = 0;
  while (packets < packets_wanted && !HasFatalFailure()) {
    std::vector<Sample> batch = some_batch(50, random_.below(2) == 0 ? 200 : 2000);
    check(batch);
    packets += batch.size();
  }
}

TEST_P(PacketBatchTest, OpensNothingWithAnyOneBitFlipped) {
  const KeyPair& keys = keys_[0];
  ByteVector sealed(100 + kTagSize);
  aead_seal(keys.key.expose(), counter_nonce(7), {}, ByteVector(100), sealed);
  std::vector<ByteVector> forged;
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    forged.push_back(sealed);
    forged.back()[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  const std::vector<ByteVector> before = forged;
  std::vector<OpenPacket> opens;
  for (ByteVector& bytes : forged) opens.push_back({&keys.packet_key, 7, bytes, true});
  open(opens, GetParam());
  for (std::size_t i = 0; i < opens.size(); ++i) EXPECT_FALSE(opens[i].opened) << "bit " << i;
  EXPECT_EQ(forged, before);
}

TEST_P(PacketBatchTest, OpensNothingThatIsShorterThanATag) {
  std::vector<OpenPacket> opens;
  ByteVector bytes(kTagSize - 1, std::byte{3});
  for (std::size_t size = 0; size < kTagSize; ++size) {
    opens.push_back({&keys_[0].packet_key, 1, MutableByteView(bytes).first(size), true});
  }
  open(opens, GetParam());
  for (const OpenPacket& packet : opens) EXPECT_FALSE(packet.opened);
  EXPECT_EQ(bytes, ByteVector(kTagSize - 1, std::byte{3}));
  open({}, GetParam());
  seal({}, GetParam());
}

TEST_P(PacketBatchTest, EqualsTheAeadUpToTheLargestDatagram) {
  for (int i = 0; i < 20 && !HasFatalFailure(); ++i) {
    std::vector<Sample> batch = some_batch(20, 65535);
    batch.emplace_back(keys_[0], i == 0 ? kPacketTextMax : 65535, i % 2 == 0, random_);
    check(batch);
  }
}

TEST(PacketKey, IsMovedButNotLeftBehind) {
  const auto key = SymmetricKey(Bytes<32>{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
  PacketKey first(key);
  EXPECT_EQ(first.expose()[0], 0x04030201U);
  PacketKey second(std::move(first));
  EXPECT_EQ(second.expose()[0], 0x04030201U);
  EXPECT_EQ(first.expose()[0], 0U);  // NOLINT(bugprone-use-after-move): this is what is tested
  first = std::move(second);
  EXPECT_EQ(first.expose()[0], 0x04030201U);
  EXPECT_EQ(second.expose()[0], 0U);  // NOLINT(bugprone-use-after-move)
}

TEST(PacketKernelNames, AreAllDifferent) {
  EXPECT_EQ(name(PacketKernels::Avx512Ifma), "avx512-ifma");
  EXPECT_EQ(name(available_packet_kernels().front()), "portable");
  EXPECT_EQ(best_packet_kernels(), available_packet_kernels().back());
}

TEST(PacketKernelNames, LeadToTheKernels) {
  for (const PacketKernels kernels : available_packet_kernels()) {
    EXPECT_EQ(find_packet_kernels(name(kernels)), kernels);
    EXPECT_TRUE(choose_packet_kernels(kernels));
    EXPECT_EQ(best_packet_kernels(), kernels);
  }
  EXPECT_EQ(find_packet_kernels("sse2"), std::nullopt);
  EXPECT_EQ(find_packet_kernels(""), std::nullopt);
}

std::string test_name(const ::testing::TestParamInfo<PacketKernels>& info) {
  std::string result(name(info.param));
  std::ranges::replace(result, '-', '_');
  return result;
}
INSTANTIATE_TEST_SUITE_P(All, PacketBatchTest,
                         ::testing::ValuesIn(available_packet_kernels().begin(),
                                             available_packet_kernels().end()),
                         test_name);

}  // namespace
}  // namespace trellis::crypto
