#pragma once

// Eight blocks of ChaCha20 in vectors of AVX2, for the files that are compiled for it. What differs
// between those, rotations and choices between lanes, is theirs.

#include "crypto/batch/unroll.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace trellis::crypto::batch {

using Words8 = std::uint32_t __attribute__((vector_size(32)));

[[gnu::always_inline]] inline __m256i raw(Words8 words) { return reinterpret_cast<__m256i>(words); }
[[gnu::always_inline]] inline Words8 words8(__m256i raw) { return reinterpret_cast<Words8>(raw); }

/// What `Isa` of ChaChaLanes is derived from in each file. A template, so that each has its own
/// copy.
template <class Isa>
struct Lanes8Base {
  using Vec = Words8;
  static constexpr std::size_t kLanes = 8;

  [[gnu::always_inline]] static Vec splat(std::uint32_t value) {
    return words8(_mm256_set1_epi32(static_cast<int>(value)));
  }
  [[gnu::always_inline]] static Vec iota() {
    return words8(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  /// quads[i]: of the blocks 4k + i, in half k, four words.
  [[gnu::always_inline]] static void interleave(const Vec* word, __m256i* quads) {
    const __m256i a = _mm256_unpacklo_epi32(raw(word[0]), raw(word[1]));
    const __m256i b = _mm256_unpackhi_epi32(raw(word[0]), raw(word[1]));
    const __m256i c = _mm256_unpacklo_epi32(raw(word[2]), raw(word[3]));
    const __m256i d = _mm256_unpackhi_epi32(raw(word[2]), raw(word[3]));
    quads[0] = _mm256_unpacklo_epi64(a, c);
    quads[1] = _mm256_unpackhi_epi64(a, c);
    quads[2] = _mm256_unpacklo_epi64(b, d);
    quads[3] = _mm256_unpackhi_epi64(b, d);
  }

  [[gnu::always_inline]] static void put(std::byte* to, __m256i value) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), value);
  }

  [[gnu::always_inline]] static void write_blocks(const Vec* word, std::byte* target) {
    __m256i quads[4][4];
    interleave(word, quads[0]);
    interleave(word + 4, quads[1]);
    interleave(word + 8, quads[2]);
    interleave(word + 12, quads[3]);
    unroll<4>([&]<int I>() {
      std::byte* const block = target + 64 * I;
      put(block, _mm256_permute2x128_si256(quads[0][I], quads[1][I], 0x20));
      put(block + 32, _mm256_permute2x128_si256(quads[2][I], quads[3][I], 0x20));
      put(block + 256, _mm256_permute2x128_si256(quads[0][I], quads[1][I], 0x31));
      put(block + 288, _mm256_permute2x128_si256(quads[2][I], quads[3][I], 0x31));
    });
  }
};

}  // namespace trellis::crypto::batch
