// Poly1305 in limbs of 44, 44 and 42 bits, eight lanes, multiplied by the 52-bit instructions of
// AVX-512 IFMA. Compiled for such processors only; see kernels.h.

#include "crypto/batch/authenticate_lanes.h"

#include <immintrin.h>

namespace trellis::crypto::batch {
namespace {

using Words = std::uint64_t __attribute__((vector_size(64)));

[[gnu::always_inline]] inline __m512i raw(Words words) { return reinterpret_cast<__m512i>(words); }
[[gnu::always_inline]] inline Words words(__m512i raw) { return reinterpret_cast<Words>(raw); }

[[gnu::always_inline]] inline Words low_of_product(Words sum, Words a, Words b) {
  return words(_mm512_madd52lo_epu64(raw(sum), raw(a), raw(b)));
}
[[gnu::always_inline]] inline Words high_of_product(Words sum, Words a, Words b) {
  return words(_mm512_madd52hi_epu64(raw(sum), raw(a), raw(b)));
}

struct Field44 {
  using Vec = Words;
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kTextsMin = 5;
  static constexpr int kLimbs = 3;
  static constexpr int kTopShift = 40;  // 88 + 40 = 128
  static constexpr std::uint64_t kTopBit = std::uint64_t{1} << kTopShift;
  static constexpr int kBits[kLimbs] = {44, 44, 42};
  static constexpr std::uint64_t mask(int limb) { return (std::uint64_t{1} << kBits[limb]) - 1; }
  static constexpr std::uint64_t kMask44 = (std::uint64_t{1} << 44) - 1;
  static constexpr std::uint64_t kMask42 = (std::uint64_t{1} << 42) - 1;

  /// Limbs below 2^46.
  struct Element {
    Vec limb[3];
  };
  /// 2^132 is 20: what a product has above 2^132 comes back 20 times below.
  struct Multiplier {
    Vec limb[3];
    Vec folded[3];  // 20 times limb 1 and 2; the first is not used
  };
  /// Limb i is low[i] + 2^52 high[i].
  struct Product {
    Vec low[3];
    Vec high[3];
  };

  [[gnu::always_inline]] static Vec splat(std::uint64_t value) {
    return words(_mm512_set1_epi64(static_cast<long long>(value)));
  }
  [[gnu::always_inline]] static Vec load(const std::uint64_t* from) {
    return words(_mm512_load_si512(from));
  }
  [[gnu::always_inline]] static void store(std::uint64_t* to, Vec value) {
    _mm512_store_si512(to, raw(value));
  }
  [[gnu::always_inline]] static Element zero() { return {{splat(0), splat(0), splat(0)}}; }

  [[gnu::always_inline]] static Element split(Vec low, Vec high, Vec bit) {
    return {
        {low & splat(kMask44), ((low >> 44) | (high << 20)) & splat(kMask44), (high >> 24) | bit}};
  }

  [[gnu::always_inline]] static Multiplier multiplier(const Element& e) {
    const auto twenty_times = [](Vec v) { return (v << 4) + (v << 2); };
    return {{e.limb[0], e.limb[1], e.limb[2]},
            {splat(0), twenty_times(e.limb[1]), twenty_times(e.limb[2])}};
  }

  [[gnu::always_inline]] static void accumulate(Product& p, int limb, Vec a, Vec b) {
    p.low[limb] = low_of_product(p.low[limb], a, b);
    p.high[limb] = high_of_product(p.high[limb], a, b);
  }

  [[gnu::always_inline]] static void multiply_add(Product& p, const Element& a,
                                                  const Multiplier& b) {
    accumulate(p, 0, a.limb[0], b.limb[0]);
    accumulate(p, 1, a.limb[0], b.limb[1]);
    accumulate(p, 2, a.limb[0], b.limb[2]);
    accumulate(p, 0, a.limb[1], b.folded[2]);
    accumulate(p, 1, a.limb[1], b.limb[0]);
    accumulate(p, 2, a.limb[1], b.limb[1]);
    accumulate(p, 0, a.limb[2], b.folded[1]);
    accumulate(p, 1, a.limb[2], b.folded[2]);
    accumulate(p, 2, a.limb[2], b.limb[0]);
  }

  [[gnu::always_inline]] static Product multiply(const Element& a, const Multiplier& b) {
    Product p = {{splat(0), splat(0), splat(0)}, {splat(0), splat(0), splat(0)}};
    multiply_add(p, a, b);
    return p;
  }

  /// For sums of up to 4 products: `low` is then below 2^56, `high` below 2^46.
  [[gnu::always_inline]] static Element reduce(const Product& p) {
    const Vec limb1 = p.low[1] + (p.high[0] << 8) + (p.low[0] >> 44);
    const Vec limb2 = p.low[2] + (p.high[1] << 8) + (limb1 >> 44);
    const Vec over = (p.high[2] << 10) + (limb2 >> 42);  // times 2^130, which is 5
    const Vec limb0 = (p.low[0] & splat(kMask44)) + over + (over << 2);
    return {
        {limb0 & splat(kMask44), (limb1 & splat(kMask44)) + (limb0 >> 44), limb2 & splat(kMask42)}};
  }

  [[gnu::always_inline]] static Element first_lane(const Element& e) {
    Element result;
    unroll<3>([&]<int I>() {
      result.limb[I] = words(_mm512_broadcastq_epi64(_mm512_castsi512_si128(raw(e.limb[I]))));
    });
    return result;
  }

  [[gnu::always_inline]] static Element blend(unsigned char lanes, const Element& set,
                                              const Element& clear) {
    Element result;
    unroll<3>([&]<int I>() {
      result.limb[I] = words(_mm512_mask_blend_epi64(lanes, raw(clear.limb[I]), raw(set.limb[I])));
    });
    return result;
  }

  /// r^8, r^7, ... r^1.
  [[gnu::always_inline]] static Element powers_down(const Element& r) {
    const Element r2 = reduce(multiply(r, multiplier(r)));
    const Element two = blend(0x55, r2, r);                      // 2 1 2 1 2 1 2 1
    const Element more = reduce(multiply(two, multiplier(r2)));  // 4 3 4 3 4 3 4 3
    const Element four = blend(0x33, more, two);                 // 4 3 2 1 4 3 2 1
    return blend(0x0f, reduce(multiply(four, multiplier(first_lane(more)))), four);
  }

  /// 16 * kLanes bytes: a block in each lane.
  [[gnu::always_inline]] static void load_stripe(const std::byte* bytes, Vec& low, Vec& high) {
    const __m512i a = _mm512_loadu_si512(bytes);
    const __m512i b = _mm512_loadu_si512(bytes + 64);
    low = words(_mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b));
    high = words(_mm512_permutex2var_epi64(a, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), b));
  }

  /// column[i] lane k = quarter i of pairs[k / 2], for the lanes 2j and 2j + 1 in pairs[j].
  [[gnu::always_inline]] static void transpose_quarters(const __m512i* pairs, Vec* column) {
    const __m512i a = _mm512_shuffle_i64x2(pairs[0], pairs[1], 0x44);
    const __m512i b = _mm512_shuffle_i64x2(pairs[2], pairs[3], 0x44);
    const __m512i c = _mm512_shuffle_i64x2(pairs[0], pairs[1], 0xee);
    const __m512i d = _mm512_shuffle_i64x2(pairs[2], pairs[3], 0xee);
    column[0] = words(_mm512_shuffle_i64x2(a, b, 0x88));
    column[1] = words(_mm512_shuffle_i64x2(a, b, 0xdd));
    column[2] = words(_mm512_shuffle_i64x2(c, d, 0x88));
    column[3] = words(_mm512_shuffle_i64x2(c, d, 0xdd));
  }

  /// 64 bytes for each lane: low[i] and high[i] are the halves of block i of each.
  [[gnu::always_inline]] static void load_columns(const std::byte* const* rows, Vec* low,
                                                  Vec* high) {
    __m512i low_pairs[4];
    __m512i high_pairs[4];
    unroll<4>([&]<int I>() {
      const __m512i even = _mm512_loadu_si512(rows[2 * I]);
      const __m512i odd = _mm512_loadu_si512(rows[2 * I + 1]);
      low_pairs[I] = _mm512_unpacklo_epi64(even, odd);
      high_pairs[I] = _mm512_unpackhi_epi64(even, odd);
    });
    transpose_quarters(low_pairs, low);
    transpose_quarters(high_pairs, high);
  }

  /// stage_block() in two instructions on memory.
  [[gnu::always_inline]] static void stage(std::byte* target, const std::byte* text,
                                           std::size_t size, std::ptrdiff_t offset) {
    const auto end = static_cast<std::ptrdiff_t>(size);
    const auto bit_below = [](std::ptrdiff_t n) {  // the lowest n bits
      return n <= 0 ? 0 : (n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1);
    };
    const std::uint64_t mask = bit_below(end - offset) & ~bit_below(-offset);
    // Bytes that are masked out are not touched, so the address may lie outside of the text.
    __m512i bytes = _mm512_maskz_loadu_epi8(
        mask, reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(text) +
                                            static_cast<std::uintptr_t>(offset)));
    const auto lengths = static_cast<std::ptrdiff_t>(16 * (poly_blocks(size) - 1)) - offset;
    if (lengths >= 0 && lengths < 64) {
      const auto lane = static_cast<unsigned char>(2U << (lengths / 8));
      bytes = _mm512_mask_set1_epi64(bytes, lane, static_cast<long long>(size));
    }
    _mm512_store_si512(target, bytes);
  }

  /// Of carried limbs; 2^128 and more is left out.
  [[gnu::always_inline]] static void join(const Element& e, Vec& low, Vec& high) {
    low = e.limb[0] | (e.limb[1] << 44);
    high = (e.limb[1] >> 20) | (e.limb[2] << 24);
  }

  /// Of all lanes, in each.
  [[gnu::always_inline]] static Vec sum(Vec v) {
    return splat(static_cast<std::uint64_t>(_mm512_reduce_add_epi64(raw(v))));
  }
  [[gnu::always_inline]] static std::uint64_t first(Vec v) {
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm512_castsi512_si128(raw(v))));
  }
};

}  // namespace

void avx512_ifma::authenticate(Authentication* texts, std::size_t count) {
  authenticate_lanes<Field44>(texts, count);
}

}  // namespace trellis::crypto::batch
