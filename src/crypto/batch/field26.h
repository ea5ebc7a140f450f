#pragma once

// Arithmetic mod 2^130 - 5 in five limbs of 26 bits, for vectors whose lanes multiply 32 by 32
// bits.
//
// `Vectors` gives what is of vectors and of memory: Vec, kLanes, kTextsMin, splat, load, store,
// sum, first, first_lane, load_stripe, load_columns; multiply, of the lower halves of 64-bit lanes;
// where there are two or four lanes, alternate; and where there are four, halves.

#include "crypto/batch/poly1305_finish.h"

namespace trellis::crypto::batch {

template <class Vectors>
struct Field26 : Vectors {
  using Vec = typename Vectors::Vec;
  static constexpr int kLimbs = 5;
  static constexpr int kTopShift = 24;  // 104 + 24 = 128
  static constexpr std::uint64_t kTopBit = std::uint64_t{1} << kTopShift;
  static constexpr int kBits[kLimbs] = {26, 26, 26, 26, 26};
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << 26) - 1;
  static constexpr std::uint64_t mask(int /*limb*/) { return kMask; }

  /// Limbs below 2^27 + 2^12.
  struct Element {
    Vec limb[5];
  };
  /// 2^130 is 5: what a product has above it comes back 5 times below.
  struct Multiplier {
    Vec limb[5];
    Vec folded[5];  // 5 times the limb; the first is not used
  };
  struct Product {
    Vec limb[5];
  };

  [[gnu::always_inline]] static Element zero() {
    const Vec none = Vectors::splat(0);
    return {{none, none, none, none, none}};
  }

  [[gnu::always_inline]] static Element split(Vec low, Vec high, Vec bit) {
    const Vec mask = Vectors::splat(kMask);
    return {{low & mask, (low >> 26) & mask, ((low >> 52) | (high << 12)) & mask,
             (high >> 14) & mask, (high >> 40) | bit}};
  }

  [[gnu::always_inline]] static Multiplier multiplier(const Element& e) {
    Multiplier result;
    unroll<5>([&]<int I>() {
      result.limb[I] = e.limb[I];
      result.folded[I] = e.limb[I] + (e.limb[I] << 2);
    });
    return result;
  }

  [[gnu::always_inline]] static Product multiply(const Element& a, const Multiplier& b) {
    Product p;
    unroll<5>([&]<int I>() { p.limb[I] = Vectors::multiply(a.limb[0], b.limb[I]); });
    add_rest(p, a, b);
    return p;
  }

  [[gnu::always_inline]] static void multiply_add(Product& p, const Element& a,
                                                  const Multiplier& b) {
    unroll<5>([&]<int I>() { p.limb[I] += Vectors::multiply(a.limb[0], b.limb[I]); });
    add_rest(p, a, b);
  }

  [[gnu::always_inline]] static void add_rest(Product& p, const Element& a, const Multiplier& b) {
    unroll<20>([&]<int N>() {
      constexpr int kA = 1 + N / 5;
      constexpr int kB = N % 5;
      if constexpr (kA + kB < 5) {
        p.limb[kA + kB] += Vectors::multiply(a.limb[kA], b.limb[kB]);
      } else {
        p.limb[kA + kB - 5] += Vectors::multiply(a.limb[kA], b.folded[kB]);
      }
    });
  }

  /// Two chains of carries side by side, 0 1 2 3 4 and 3 4 0 1. For sums of up to 4 products.
  [[gnu::always_inline]] static Element reduce(const Product& p) {
    const Vec mask = Vectors::splat(kMask);
    const Vec d1 = p.limb[1] + (p.limb[0] >> 26);
    const Vec d4 = p.limb[4] + (p.limb[3] >> 26);
    const Vec d2 = p.limb[2] + (d1 >> 26);
    const Vec over = d4 >> 26;
    const Vec d0 = (p.limb[0] & mask) + over + (over << 2);
    const Vec d3 = (p.limb[3] & mask) + (d2 >> 26);
    return {{d0 & mask, (d1 & mask) + (d0 >> 26), d2 & mask, d3 & mask, (d4 & mask) + (d3 >> 26)}};
  }

  [[gnu::always_inline]] static Element first_lane(const Element& e) {
    Element result;
    unroll<5>([&]<int I>() { result.limb[I] = Vectors::first_lane(e.limb[I]); });
    return result;
  }

  /// r^n in the first lane, ... r in the last.
  [[gnu::always_inline]] static Element powers_down(const Element& r) {
    if constexpr (Vectors::kLanes == 1) {
      return r;
    } else {
      static_assert(Vectors::kLanes == 2 || Vectors::kLanes == 4);
      const Element r2 = reduce(multiply(r, multiplier(r)));
      Element two;
      unroll<5>([&]<int I>() { two.limb[I] = Vectors::alternate(r2.limb[I], r.limb[I]); });
      if constexpr (Vectors::kLanes == 2)
        return two;
      else
        return four_powers_down(two, r2);
    }
  }

  [[gnu::always_inline]] static Element four_powers_down(const Element& two, const Element& r2) {
    const Element more = reduce(multiply(two, multiplier(r2)));
    Element four;
    unroll<5>([&]<int I>() { four.limb[I] = Vectors::halves(more.limb[I], two.limb[I]); });
    return four;
  }

  static void stage(std::byte* target, const std::byte* text, std::size_t size,
                    std::ptrdiff_t offset) {
    stage_block(target, text, size, offset);
  }

  /// Of carried limbs; 2^128 and more is left out.
  [[gnu::always_inline]] static void join(const Element& e, Vec& low, Vec& high) {
    low = e.limb[0] | (e.limb[1] << 26) | (e.limb[2] << 52);
    high = (e.limb[2] >> 12) | (e.limb[3] << 14) | (e.limb[4] << 40);
  }
};

}  // namespace trellis::crypto::batch
