// ChaCha20 in AVX-512: 16 blocks side by side, or 8 where there are no more. Compiled for such
// processors only; see kernels.h.

#include "crypto/batch/chacha_lanes.h"
#include "crypto/batch/chacha_rows.h"
#include "crypto/batch/lanes_avx2.h"

#include <immintrin.h>

namespace trellis::crypto::batch {
namespace {

using Words16 = std::uint32_t __attribute__((vector_size(64)));

[[gnu::always_inline]] inline __m512i raw16(Words16 words) {
  return reinterpret_cast<__m512i>(words);
}
[[gnu::always_inline]] inline Words16 words16(__m512i raw) {
  return reinterpret_cast<Words16>(raw);
}

void combine(std::byte* target, const std::byte* source, const std::byte* stream,
             std::size_t size) {
  std::size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    const __m512i value =
        _mm512_xor_si512(_mm512_loadu_si512(source + i), _mm512_loadu_si512(stream + i));
    _mm512_storeu_si512(target + i, value);
  }
  if (i < size) {
    const __mmask64 mask = ~std::uint64_t{0} >> (64 - (size - i));
    const __m512i value =
        _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, source + i), _mm512_loadu_si512(stream + i));
    _mm512_mask_storeu_epi8(target + i, mask, value);
  }
}

struct Lanes16 {
  using Vec = Words16;

  template <int N>
  [[gnu::always_inline]] static Vec rotate(Vec v) {
    return words16(_mm512_rol_epi32(raw16(v), N));
  }
  [[gnu::always_inline]] static Vec splat(std::uint32_t value) {
    return words16(_mm512_set1_epi32(static_cast<int>(value)));
  }
  [[gnu::always_inline]] static Vec iota() {
    return words16(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  }
  using Lanes = __mmask16;
  [[gnu::always_inline]] static Lanes from(std::uint32_t lane) {
    return static_cast<Lanes>(0xffffU << lane);
  }
  [[gnu::always_inline]] static Vec select(Lanes lanes, Vec a, Vec b) {
    return words16(_mm512_mask_mov_epi32(raw16(b), lanes, raw16(a)));
  }
  [[gnu::always_inline]] static void combine(std::byte* target, const std::byte* source,
                                             const std::byte* stream, std::size_t size) {
    batch::combine(target, source, stream, size);
  }

  /// quads[I]: of the blocks 4k + i, in quarter k, words 4q to 4q + 3.
  [[gnu::always_inline]] static void interleave(const Vec* word, __m512i* quads) {
    const __m512i a = _mm512_unpacklo_epi32(raw16(word[0]), raw16(word[1]));
    const __m512i b = _mm512_unpackhi_epi32(raw16(word[0]), raw16(word[1]));
    const __m512i c = _mm512_unpacklo_epi32(raw16(word[2]), raw16(word[3]));
    const __m512i d = _mm512_unpackhi_epi32(raw16(word[2]), raw16(word[3]));
    quads[0] = _mm512_unpacklo_epi64(a, c);
    quads[1] = _mm512_unpackhi_epi64(a, c);
    quads[2] = _mm512_unpacklo_epi64(b, d);
    quads[3] = _mm512_unpackhi_epi64(b, d);
  }

  [[gnu::always_inline]] static void write_blocks(const Vec* word, std::byte* target) {
    __m512i quads[4][4];
    unroll<4>([&]<int Q>() { interleave(word + 4 * Q, quads[Q]); });
    unroll<4>([&]<int I>() {
      const __m512i a = _mm512_shuffle_i32x4(quads[0][I], quads[1][I], 0x44);
      const __m512i b = _mm512_shuffle_i32x4(quads[2][I], quads[3][I], 0x44);
      const __m512i c = _mm512_shuffle_i32x4(quads[0][I], quads[1][I], 0xee);
      const __m512i d = _mm512_shuffle_i32x4(quads[2][I], quads[3][I], 0xee);
      std::byte* const block = target + 64 * I;
      _mm512_store_si512(block, _mm512_shuffle_i32x4(a, b, 0x88));
      _mm512_store_si512(block + 256, _mm512_shuffle_i32x4(a, b, 0xdd));
      _mm512_store_si512(block + 512, _mm512_shuffle_i32x4(c, d, 0x88));
      _mm512_store_si512(block + 768, _mm512_shuffle_i32x4(c, d, 0xdd));
    });
  }
};

struct Lanes8 : Lanes8Base<Lanes8> {
  using Lanes = __mmask8;

  template <int N>
  [[gnu::always_inline]] static Vec rotate(Vec v) {
    return words8(_mm256_rol_epi32(raw(v), N));
  }
  [[gnu::always_inline]] static Lanes from(std::uint32_t lane) {
    return static_cast<Lanes>(0xffU << lane);
  }
  [[gnu::always_inline]] static Vec select(Lanes lanes, Vec a, Vec b) {
    return words8(_mm256_mask_mov_epi32(raw(b), lanes, raw(a)));
  }
  [[gnu::always_inline]] static void combine(std::byte* target, const std::byte* source,
                                             const std::byte* stream, std::size_t size) {
    batch::combine(target, source, stream, size);
  }
};

}  // namespace

void avx512::crypt(const Run* runs, std::size_t count, std::byte* scratch) {
  const std::size_t blocks = count_blocks<Lanes16>(runs, count);
  if (blocks <= 2) {
    ChaChaRows<Lanes8, 1>::crypt(runs, count, scratch);
  } else if (blocks <= 4) {
    ChaChaRows<Lanes8, 2>::crypt(runs, count, scratch);
  } else if (blocks <= Lanes8::kLanes) {
    ChaChaLanes<Lanes8>::crypt(runs, count, scratch);
  } else {
    ChaChaLanes<Lanes16>::crypt(runs, count, scratch);
  }
}

void avx512::combine(std::byte* target, const std::byte* source, const std::byte* stream,
                     std::size_t size) {
  Lanes16::combine(target, source, stream, size);
}

}  // namespace trellis::crypto::batch
