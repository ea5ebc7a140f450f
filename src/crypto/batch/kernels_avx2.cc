// ChaCha20 and Poly1305 in AVX2: 8 blocks of the one, 4 of the other side by side. Compiled for
// such processors only; see kernels.h.

#include "crypto/batch/authenticate_lanes.h"
#include "crypto/batch/chacha_lanes.h"
#include "crypto/batch/chacha_rows.h"
#include "crypto/batch/combine.h"
#include "crypto/batch/field26.h"
#include "crypto/batch/lanes_avx2.h"

namespace trellis::crypto::batch {
namespace {

struct Lanes8 : Lanes8Base<Lanes8> {
  using Lanes = Vec;

  template <int N>
  [[gnu::always_inline]] static Vec rotate(Vec v) {
    if constexpr (N == 16) {
      return move_bytes(v, 0x01000302);
    } else if constexpr (N == 8) {
      return move_bytes(v, 0x02010003);
    } else {
      return (v << N) | (v >> (32 - N));
    }
  }
  /// Byte i of `order` tells which byte of each word goes to i.
  [[gnu::always_inline]] static Vec move_bytes(Vec v, int order) {
    const __m256i of_words = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404,
                                               0x08080808, 0x0c0c0c0c);
    return words8(_mm256_shuffle_epi8(raw(v), _mm256_add_epi8(of_words, _mm256_set1_epi32(order))));
  }
  [[gnu::always_inline]] static Lanes from(std::uint32_t lane) {
    return words8(_mm256_cmpgt_epi32(raw(iota() + splat(1)), raw(splat(lane))));
  }
  [[gnu::always_inline]] static Vec select(Lanes lanes, Vec a, Vec b) {
    return words8(_mm256_blendv_epi8(raw(b), raw(a), raw(lanes)));
  }
  [[gnu::always_inline]] static void combine(std::byte* target, const std::byte* source,
                                             const std::byte* stream, std::size_t size) {
    if (size >= sizeof(Words8)) {
      combine_long<Words8>(target, source, stream, size);
    } else {
      combine_short<Lanes8>(target, source, stream, size);
    }
  }
};

struct Vectors4 {
  using Vec = std::uint64_t __attribute__((vector_size(32)));
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kTextsMin = 3;

  [[gnu::always_inline]] static __m256i raw(Vec v) { return reinterpret_cast<__m256i>(v); }
  [[gnu::always_inline]] static Vec vec(__m256i raw) { return reinterpret_cast<Vec>(raw); }

  [[gnu::always_inline]] static Vec splat(std::uint64_t value) {
    return vec(_mm256_set1_epi64x(static_cast<long long>(value)));
  }
  [[gnu::always_inline]] static __m256i at(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
  [[gnu::always_inline]] static Vec load(const std::uint64_t* from) { return vec(at(from)); }
  [[gnu::always_inline]] static void store(std::uint64_t* to, Vec value) {
    _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(to)), raw(value));
  }
  /// Of the lower 32 bits of each lane.
  [[gnu::always_inline]] static Vec multiply(Vec a, Vec b) {
    return vec(_mm256_mul_epu32(raw(a), raw(b)));
  }
  /// Of all lanes, in each.
  [[gnu::always_inline]] static Vec sum(Vec v) {
    const Vec pairs = v + vec(_mm256_permute4x64_epi64(raw(v), 0x4e));
    return pairs + vec(_mm256_permute4x64_epi64(raw(pairs), 0xb1));
  }
  [[gnu::always_inline]] static std::uint64_t first(Vec v) {
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm256_castsi256_si128(raw(v))));
  }
  [[gnu::always_inline]] static Vec first_lane(Vec v) {
    return vec(_mm256_broadcastq_epi64(_mm256_castsi256_si128(raw(v))));
  }
  /// a b a b
  [[gnu::always_inline]] static Vec alternate(Vec a, Vec b) {
    return vec(_mm256_blend_epi32(raw(a), raw(b), 0xcc));
  }
  /// The first half of a, the second of b.
  [[gnu::always_inline]] static Vec halves(Vec a, Vec b) {
    return vec(_mm256_blend_epi32(raw(a), raw(b), 0xf0));
  }

  /// A block in each lane.
  [[gnu::always_inline]] static void load_stripe(const std::byte* bytes, Vec& low, Vec& high) {
    const __m256i a = at(bytes);
    const __m256i b = at(bytes + 32);
    low = vec(_mm256_permute4x64_epi64(_mm256_unpacklo_epi64(a, b), 0xd8));
    high = vec(_mm256_permute4x64_epi64(_mm256_unpackhi_epi64(a, b), 0xd8));
  }

  /// 64 bytes for each lane: low[i] and high[i] are the halves of block i of each.
  [[gnu::always_inline]] static void load_columns(const std::byte* const* rows, Vec* low,
                                                  Vec* high) {
    unroll<2>([&]<int I>() {
      const __m256i a = at(rows[0] + 32 * I);
      const __m256i b = at(rows[1] + 32 * I);
      const __m256i c = at(rows[2] + 32 * I);
      const __m256i d = at(rows[3] + 32 * I);
      const __m256i low_ab = _mm256_unpacklo_epi64(a, b);
      const __m256i low_cd = _mm256_unpacklo_epi64(c, d);
      const __m256i high_ab = _mm256_unpackhi_epi64(a, b);
      const __m256i high_cd = _mm256_unpackhi_epi64(c, d);
      low[2 * I] = vec(_mm256_permute2x128_si256(low_ab, low_cd, 0x20));
      low[2 * I + 1] = vec(_mm256_permute2x128_si256(low_ab, low_cd, 0x31));
      high[2 * I] = vec(_mm256_permute2x128_si256(high_ab, high_cd, 0x20));
      high[2 * I + 1] = vec(_mm256_permute2x128_si256(high_ab, high_cd, 0x31));
    });
  }
};

}  // namespace

void avx2::crypt(const Run* runs, std::size_t count, std::byte* scratch) {
  const std::size_t blocks = count_blocks<Lanes8>(runs, count);
  if (blocks <= 2) {
    ChaChaRows<Lanes8, 1>::crypt(runs, count, scratch);
  } else if (blocks <= 4) {
    ChaChaRows<Lanes8, 2>::crypt(runs, count, scratch);
  } else if (blocks <= 6) {
    ChaChaRows<Lanes8, 3>::crypt(runs, count, scratch);
  } else {
    ChaChaLanes<Lanes8>::crypt(runs, count, scratch);
  }
}

void avx2::authenticate(Authentication* texts, std::size_t count) {
  authenticate_lanes<Field26<Vectors4>>(texts, count);
}

void avx2::combine(std::byte* target, const std::byte* source, const std::byte* stream,
                   std::size_t size) {
  Lanes8::combine(target, source, stream, size);
}

}  // namespace trellis::crypto::batch
