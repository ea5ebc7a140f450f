// BLAKE2b in AVX2. Compiled for such processors only; see blake2b.h.

#include "crypto/hash_kernels/blake2b_rounds.h"

namespace trellis::crypto::hash_kernels {
namespace {

struct Rows {
  template <int Bits>
  [[gnu::always_inline]] static __m256i rotate(__m256i row) {
    if constexpr (Bits == 32) return _mm256_shuffle_epi32(row, _MM_SHUFFLE(2, 3, 0, 1));
    if constexpr (Bits == 24) {
      return _mm256_shuffle_epi8(
          row, _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10,  //
                                3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10));
    }
    if constexpr (Bits == 16) {
      return _mm256_shuffle_epi8(
          row, _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9,  //
                                2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9));
    }
    static_assert(Bits == 32 || Bits == 24 || Bits == 16 || Bits == 63);
    return _mm256_or_si256(_mm256_add_epi64(row, row), _mm256_srli_epi64(row, 63));
  }

  template <int Bits>
  [[gnu::always_inline]] static __m256i xor_rotate(__m256i early, __m256i late) {
    return rotate<Bits>(_mm256_xor_si256(early, late));
  }
};

}  // namespace

void blake2b_compress_avx2(Blake2bState& state, const std::byte* blocks, std::size_t count,
                           std::uint64_t hashed, std::uint64_t last) {
  Blake2b<Rows>::compress(state, blocks, count, hashed, last);
}

}  // namespace trellis::crypto::hash_kernels
