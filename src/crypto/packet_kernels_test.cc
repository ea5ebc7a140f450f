// The kernels by themselves, beside OpenSSL's Poly1305 where its carries are at their limits, and
// beside the answers of RFC 8439.

#include "crypto/batch/chunk.h"
#include "crypto/known_answers_test.h"
#include "crypto/openssl.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace trellis::crypto::batch {
namespace {

using openssl::algorithms;
using openssl::uchar;

__extension__ using Wide = unsigned __int128;

/// What is authenticated in the AEAD without additional data. [RFC 8439 2.8]
ByteVector with_lengths(ByteView text) {
  ByteVector message = to_vector(text);
  message.resize((text.size() + 15) / 16 * 16 + 8);
  append(message, bytes_of(le64(text.size())));
  return message;
}

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};

Bytes<16> poly1305_of_openssl(const Bytes<32>& key, ByteView message) {
  static const std::unique_ptr<EVP_MAC, FreeMac> poly1305(
      EVP_MAC_fetch(algorithms().library, "POLY1305", nullptr));
  const openssl::Owned<EVP_MAC_CTX> context(EVP_MAC_CTX_new(poly1305.get()));
  CHECK(EVP_MAC_init(context.get(), uchar(key.data()), key.size(), nullptr) == 1);
  CHECK(EVP_MAC_update(context.get(), uchar(message.data()), message.size()) == 1);
  Bytes<16> tag{};
  std::size_t size = 0;
  CHECK(EVP_MAC_final(context.get(), uchar(tag.data()), &size, tag.size()) == 1);
  return tag;
}

struct Text {
  Bytes<32> key;  // r, s
  ByteVector bytes;
};

Bytes<32> key_of(Wide r, Wide s) {
  Bytes<32> key;
  const std::array<le64, 4> words = {
      static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(r >> 64),
      static_cast<std::uint64_t>(s), static_cast<std::uint64_t>(s >> 64)};
  std::memcpy(key.data(), words.data(), key.size());
  return key;
}

void append_block(ByteVector& text, Wide block) {
  append(text, bytes_of(le64(static_cast<std::uint64_t>(block))));
  append(text, bytes_of(le64(static_cast<std::uint64_t>(block >> 64))));
}

class PacketKernelsTest : public ::testing::TestWithParam<PacketKernels> {
 protected:
  /// Authenticates the texts in groups of this size.
  void check(const std::vector<Text>& texts, std::size_t group) {
    for (std::size_t first = 0; first < texts.size() && !HasFatalFailure(); first += group) {
      check_group(std::span(texts).subspan(first, std::min(group, texts.size() - first)));
    }
  }
  void check_in_all_groups(const std::vector<Text>& texts) {
    for (const std::size_t group : {1U, 2U, 4U, 5U, 8U, 13U, 16U}) {
      SCOPED_TRACE(group);
      check(texts, group);
    }
  }

  testing::SeededRandom random_{7};

 private:
  void check_group(std::span<const Text> texts) {
    struct alignas(64) KeyBlock {
      Bytes<kBlockSize> bytes;
    };
    std::array<KeyBlock, kTextsMax> keys;
    std::array<Authentication, kTextsMax> jobs;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      random_.fill(keys[i].bytes);
      std::ranges::copy(texts[i].key, keys[i].bytes.begin());
      jobs[i].key = keys[i].bytes.data();
      jobs[i].text = texts[i].bytes.data();
      jobs[i].size = texts[i].bytes.size();
    }
    kernels_of(GetParam()).authenticate(jobs.data(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      ASSERT_EQ(to_hex(jobs[i].tag),
                to_hex(poly1305_of_openssl(texts[i].key, with_lengths(texts[i].bytes))))
          << i << ": key " << to_hex(texts[i].key) << " text of " << texts[i].bytes.size();
    }
  }
};

TEST_P(PacketKernelsTest, AuthenticatesWithKeysAndTextsAtTheirLimits) {
  constexpr Wide kOnes = ~Wide{0};
  const Wide rs[] = {0, 1, 2, 4, kOnes, kOnes << 64, kOnes >> 64, Wide{1} << 127, Wide{3} << 90};
  const Wide ss[] = {0, 1, kOnes, kOnes - 4, kOnes >> 1};
  std::vector<Text> texts;
  for (const Wide r : rs) {
    for (const Wide s : ss) {
      for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 64U, 127U, 128U, 129U, 400U, 1420U}) {
        for (const std::byte fill : {std::byte{0}, std::byte{0xff}, std::byte{0x80}}) {
          texts.push_back({key_of(r, s), ByteVector(size, fill)});
        }
      }
    }
  }
  check_in_all_groups(texts);
}

// With r = 1 the accumulator is the sum of the blocks, so it can be brought to where 2^130 - 5
// wraps.
TEST_P(PacketKernelsTest, AuthenticatesWhereTheSumWrapsAround) {
  std::vector<Text> texts;
  for (const std::uint64_t blocks : {2U, 6U, 10U, 14U, 30U}) {  // 2^128 in one more: 3 mod 4 times
    for (int difference = -8; difference <= 8; ++difference) {
      // (blocks + 1) 2^128 + sum of blocks + lengths = k (2^130 - 5) + difference
      const std::uint64_t k = (blocks + 2) / 4;
      Wide rest = 0 - Wide{5 * k} + static_cast<Wide>(difference) - (Wide{16 * blocks} << 64);
      Text text{key_of(1, difference % 2 == 0 ? 0 : ~Wide{0}), {}};
      for (std::uint64_t i = 0; i + 1 < blocks; ++i) {
        const Wide block =
            (static_cast<Wide>(random_.u64()) << 64 | random_.u64()) % (rest / 2 + 1);
        append_block(text.bytes, block);
        rest -= block;
      }
      append_block(text.bytes, rest);
      texts.push_back(std::move(text));
    }
  }
  check_in_all_groups(texts);
}

TEST_P(PacketKernelsTest, AuthenticatesSparseAndDenseNumbers) {
  const auto some_wide = [this]() -> Wide {
    Wide value = 0;
    for (int i = 0; i < 128; i += 8) {
      constexpr std::uint8_t kBytes[] = {0x00, 0xff, 0xff, 0x01, 0x80, 0xfc};
      const std::uint64_t pick = random_.below(8);
      value |= static_cast<Wide>(pick < 6 ? kBytes[pick] : random_.below(256)) << i;
    }
    return value;
  };
  std::vector<Text> texts;
  for (int i = 0; i < 3000; ++i) {
    Text text{key_of(some_wide(), some_wide()), {}};
    const std::uint64_t blocks = random_.below(random_.below(3) == 0 ? 100 : 20);
    for (std::uint64_t block = 0; block < blocks; ++block) append_block(text.bytes, some_wide());
    text.bytes.resize(text.bytes.size() + random_.below(16), std::byte{0xff});
    texts.push_back(std::move(text));
  }
  check_in_all_groups(texts);
}

TEST_P(PacketKernelsTest, EncryptsLikeItsSpecification) {
  // The AEAD's answers have additional data, so their tags are others; those whose nonce begins
  // with zeros have the ciphertext of a packet.
  std::size_t seen = 0;
  for (const KnownAnswer& answer : known_answers("chacha20poly1305.txt", "chacha20poly1305")) {
    const auto nonce = answer.array<12>("nonce");
    if (Reader(nonce).read<le32>() != 0) continue;
    const PacketKey key(SymmetricKey(answer.array<32>("key")));
    const ByteVector& text = answer.at("text");
    const ByteVector& sealed = answer.at("sealed");
    const std::uint64_t counter = Reader(ByteView(nonce).subspan(4)).read<le64>();
    ByteVector target(sealed.size());
    const SealPacket packet{&key, counter, text, target.data()};
    seal(std::span(&packet, 1), GetParam());
    EXPECT_EQ(to_hex(ByteView(target).first(text.size())),
              to_hex(ByteView(sealed).first(text.size())));
    ++seen;
  }
  EXPECT_EQ(seen, 1U);
}

std::string test_name(const ::testing::TestParamInfo<PacketKernels>& info) {
  std::string result(name(info.param));
  std::ranges::replace(result, '-', '_');
  return result;
}
INSTANTIATE_TEST_SUITE_P(All, PacketKernelsTest,
                         ::testing::ValuesIn(available_packet_kernels().begin(),
                                             available_packet_kernels().end()),
                         test_name);

}  // namespace
}  // namespace trellis::crypto::batch
