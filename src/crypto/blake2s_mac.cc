#include "crypto/blake2s_mac.h"

#include "base/result.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace trellis::crypto {

namespace {

using State = std::array<std::uint32_t, 8>;

constexpr std::size_t kBlock = 64;
constexpr std::size_t kMacSize = 16;

// [RFC 7693 2.6]
constexpr State kInitial{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// [RFC 7693 2.7]
constexpr std::uint8_t kOrder[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                         {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                         {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                         {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                         {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                         {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                         {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                         {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                         {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

/// [RFC 7693 3.1]
[[gnu::always_inline]] inline void mix(std::array<std::uint32_t, 16>& v, std::size_t a,
                                       std::size_t b, std::size_t c, std::size_t d, std::uint32_t x,
                                       std::uint32_t y) {
  v[a] += v[b] + x;
  v[d] = std::rotr(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = std::rotr(v[b] ^ v[c], 12);
  v[a] += v[b] + y;
  v[d] = std::rotr(v[d] ^ v[a], 8);
  v[c] += v[d];
  v[b] = std::rotr(v[b] ^ v[c], 7);
}

/// `count`: bytes up to the end of this block. [RFC 7693 3.2]
void compress(State& state, const std::byte* block, std::uint32_t count, bool last) {
  std::array<std::uint32_t, 16> m;
  for (std::size_t i = 0; i < m.size(); ++i) {
    le32 word;
    std::memcpy(&word, block + 4 * i, sizeof word);
    m[i] = word;
  }
  std::array<std::uint32_t, 16> v;
  std::ranges::copy(state, v.begin());
  std::ranges::copy(kInitial, v.begin() + 8);
  v[12] ^= count;
  if (last) v[14] = ~v[14];
  // Unrolled, so that the order is of constants.
#pragma GCC unroll 10
  for (const auto& s : kOrder) {
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  for (std::size_t i = 0; i < state.size(); ++i) state[i] ^= v[i] ^ v[i + 8];
}

}  // namespace

Blake2sMac::Blake2sMac(ByteView key) : state_(kInitial) {
  CHECK(!key.empty() && key.size() <= 32);
  state_[0] ^= 0x01010000U ^ static_cast<std::uint32_t>(key.size() << 8 | kMacSize);
  std::array<std::byte, kBlock> block{};
  std::ranges::copy(key, block.begin());
  compress(state_, block.data(), kBlock, false);
  zeroise(block);
}

Bytes<16> Blake2sMac::operator()(ByteView message) const {
  CHECK(!message.empty());
  State state = state_;
  auto count = static_cast<std::uint32_t>(kBlock);
  for (; message.size() > kBlock; message = message.subspan(kBlock)) {
    count += static_cast<std::uint32_t>(kBlock);
    compress(state, message.data(), count, false);
  }
  std::array<std::byte, kBlock> block{};
  std::ranges::copy(message, block.begin());
  compress(state, block.data(), count + static_cast<std::uint32_t>(message.size()), true);
  std::array<le32, 8> words;
  std::ranges::copy(state, words.begin());
  Bytes<16> result;
  std::memcpy(result.data(), words.data(), result.size());
  return result;
}

}  // namespace trellis::crypto
