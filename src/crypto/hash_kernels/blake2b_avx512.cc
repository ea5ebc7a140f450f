// BLAKE2b in AVX-512, which combines three rows in one instruction. Compiled for such processors
// only; see blake2b.h.

#include "crypto/hash_kernels/blake2b_rounds.h"

namespace trellis::crypto::hash_kernels {
namespace {

struct Rows {
  /// Two steps from the late row to the result. A rotation by itself takes two, so the late one is
  /// shifted both ways at once; the early one is rotated while there is time.
  template <int Bits>
  [[gnu::always_inline]] static __m256i xor_rotate(__m256i early, __m256i late) {
    if constexpr (Bits == 32) {
      return _mm256_shuffle_epi32(_mm256_xor_si256(early, late), _MM_SHUFFLE(2, 3, 0, 1));
    }
    constexpr int kXorOfThree = 0x96;
    return _mm256_ternarylogic_epi64(_mm256_ror_epi64(early, Bits), _mm256_srli_epi64(late, Bits),
                                     _mm256_slli_epi64(late, 64 - Bits), kXorOfThree);
  }
};

}  // namespace

void blake2b_compress_avx512(Blake2bState& state, const std::byte* blocks, std::size_t count,
                             std::uint64_t hashed, std::uint64_t last) {
  Blake2b<Rows>::compress(state, blocks, count, hashed, last);
}

}  // namespace trellis::crypto::hash_kernels
