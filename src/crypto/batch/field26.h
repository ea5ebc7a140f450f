#pragma once

// Arithmetic mod 2^130 - 5 in five limbs of 26 bits, for vectors whose lanes multiply 32 by 32
// bits.
//
// `Vectors` gives: Vec, kLanes, kSideBySideFrom, splat, load, store, multiply, first_lane,
// alternate, halves, load_stripe, load_columns.

#include "crypto/batch/poly1305_finish.h"

namespace trellis::crypto::batch {

template <class Vectors>
struct Field26 : Vectors {
  using Vec = typename Vectors::Vec;
  static constexpr int kLimbs = 5;
  static constexpr std::uint64_t kTopBit = std::uint64_t{1} << 24;  // 104 + 24 = 128
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << 26) - 1;

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
    for (int i = 0; i < 5; ++i) {
      result.limb[i] = e.limb[i];
      result.folded[i] = e.limb[i] + (e.limb[i] << 2);
    }
    return result;
  }

  [[gnu::always_inline]] static Product multiply(const Element& a, const Multiplier& b) {
    Product p;
    for (int i = 0; i < 5; ++i) p.limb[i] = Vectors::multiply(a.limb[0], b.limb[i]);
    add_rest(p, a, b);
    return p;
  }

  [[gnu::always_inline]] static void multiply_add(Product& p, const Element& a,
                                                  const Multiplier& b) {
    for (int i = 0; i < 5; ++i) p.limb[i] += Vectors::multiply(a.limb[0], b.limb[i]);
    add_rest(p, a, b);
  }

  [[gnu::always_inline]] static void add_rest(Product& p, const Element& a, const Multiplier& b) {
    for (int i = 1; i < 5; ++i) {
      for (int j = 0; j < 5 - i; ++j) {
        p.limb[i + j] += Vectors::multiply(a.limb[i], b.limb[j]);
      }
      for (int j = 5 - i; j < 5; ++j) {
        p.limb[i + j - 5] += Vectors::multiply(a.limb[i], b.folded[j]);
      }
    }
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
    for (int i = 0; i < 5; ++i) result.limb[i] = Vectors::first_lane(e.limb[i]);
    return result;
  }

  /// r^n in the first lane, ... r in the last.
  [[gnu::always_inline]] static Element powers_down(const Element& r) {
    if constexpr (Vectors::kLanes == 1) {
      return r;
    } else {
      static_assert(Vectors::kLanes == 4);
      const Element r2 = reduce(multiply(r, multiplier(r)));
      Element two;
      for (int i = 0; i < 5; ++i) two.limb[i] = Vectors::alternate(r2.limb[i], r.limb[i]);
      const Element more = reduce(multiply(two, multiplier(r2)));
      Element four;
      for (int i = 0; i < 5; ++i) four.limb[i] = Vectors::halves(more.limb[i], two.limb[i]);
      return four;
    }
  }

  static void stage(std::byte* target, const std::byte* text, std::size_t size,
                    std::ptrdiff_t offset) {
    stage_block(target, text, size, offset);
  }

  static void carry(std::uint64_t* limb) {
    for (int i = 0; i < 4; ++i) {
      limb[i + 1] += limb[i] >> 26;
      limb[i] &= kMask;
    }
  }

  static void finish(std::uint64_t* limb, const std::byte* s, std::byte* tag) {
    carry(limb);
    limb[0] += 5 * (limb[4] >> 26);
    limb[4] &= kMask;
    carry(limb);
    put_tag(limb[0] | (limb[1] << 26) | (limb[2] << 52),
            (limb[2] >> 12) | (limb[3] << 14) | (limb[4] << 40), limb[4] >> 24, s, tag);
  }
};

}  // namespace trellis::crypto::batch
