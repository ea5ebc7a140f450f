#pragma once

// Poly1305 in the 64-bit lanes of vectors: either a text in each lane, or one text dealt out to all
// lanes. [RFC 8439 2.5]
//
// `Field` gives the arithmetic mod 2^130 - 5: Vec, kLanes, kLimbs, Element (limbs, carried so far
// that a block can be added), Multiplier, Product, Field::split(low, high, bit),
// multiplier(Element), multiply_add(Product&, Element, Multiplier), reduce(Product), top_bit: 2^128
// in the limb where it lies, finish(limbs, s, tag); and of vectors: splat, load(8-byte array),
// store, load_columns, load_stripe, interleave (see there).

#include "crypto/batch/poly1305_finish.h"

namespace trellis::crypto::batch {

template <class Field>
struct PolyLanes {
  using Vec = typename Field::Vec;
  using Element = typename Field::Element;
  using Multiplier = typename Field::Multiplier;
  using Product = typename Field::Product;
  static constexpr std::size_t kLanes = Field::kLanes;
  static constexpr std::size_t kStripe = 16 * kLanes;

  struct alignas(64) Limbs {
    std::uint64_t of[Field::kLimbs][kLanes];
  };

  [[gnu::always_inline]] static Element product(const Element& a, const Multiplier& b) {
    Product p = Field::multiply(a, b);
    return Field::reduce(p);
  }

  [[gnu::always_inline]] static void add(Element& a, const Element& b) {
    for (int i = 0; i < Field::kLimbs; ++i) a.limb[i] += b.limb[i];
  }

  // --- A text in each lane, four blocks at a time -------------------------------------------

  struct Texts {
    const std::byte* text[kLanes];
    std::size_t size[kLanes];
    std::ptrdiff_t offset[kLanes];  // of the step's first block; negative: blocks that are nothing
  };

  /// The blocks of a step of each lane, as they are.
  struct Columns {
    Vec low[4];
    Vec high[4];
  };

  /// h r^4 + c0 r^4 + c1 r^3 + c2 r^2 + c3 r
  [[gnu::always_inline]] static void take(Element& h, const Columns& c, const Vec* bits,
                                          const Multiplier* powers) {
    add(h, Field::split(c.low[0], c.high[0], bits[0]));
    Product p = Field::multiply(h, powers[3]);
    Field::multiply_add(p, Field::split(c.low[1], c.high[1], bits[1]), powers[2]);
    Field::multiply_add(p, Field::split(c.low[2], c.high[2], bits[2]), powers[1]);
    Field::multiply_add(p, Field::split(c.low[3], c.high[3], bits[3]), powers[0]);
    h = Field::reduce(p);
  }

  /// A step that is not full of text in each lane.
  static void take_edge(Element& h, const Texts& texts, const Multiplier* powers) {
    alignas(64) std::byte staged[kLanes][64];
    alignas(64) std::uint64_t bits[4][kLanes];
    const std::byte* rows[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      Field::stage(staged[lane], texts.text[lane], texts.size[lane], texts.offset[lane]);
      rows[lane] = staged[lane];
      for (int i = 0; i < 4; ++i) {
        bits[i][lane] = texts.offset[lane] + 16 * i < 0 ? 0 : Field::kTopBit;
      }
    }
    Columns columns;
    Field::load_columns(rows, columns.low, columns.high);
    const Vec bit[4] = {Field::load(bits[0]), Field::load(bits[1]), Field::load(bits[2]),
                        Field::load(bits[3])};
    take(h, columns, bit, powers);
  }

  static Element take_all(Texts& texts, std::size_t longest, std::size_t shortest,
                          const Multiplier* powers) {
    const std::size_t steps = (longest + 3) / 4;
    const std::size_t full_from = steps - shortest / 4;
    const Vec bit = Field::splat(Field::kTopBit);
    const Vec bits[4] = {bit, bit, bit, bit};
    Element h = Field::zero();
    for (std::size_t step = 0; step < steps; ++step) {
      if (step < full_from || step + 1 == steps) {
        take_edge(h, texts, powers);
      } else {
        const std::byte* rows[kLanes];
        for (std::size_t i = 0; i < kLanes; ++i) rows[i] = texts.text[i] + texts.offset[i];
        Columns columns;
        Field::load_columns(rows, columns.low, columns.high);
        take(h, columns, bits, powers);
      }
      for (std::size_t i = 0; i < kLanes; ++i) texts.offset[i] += 64;
    }
    return h;
  }

  /// Up to kLanes texts, best of about the same length.
  static void many(Authentication* const* jobs, std::size_t count) {
    Texts texts;
    const std::byte* keys[kLanes];
    std::size_t longest = 0;
    std::size_t shortest = static_cast<std::size_t>(-1);
    for (std::size_t i = 0; i < kLanes; ++i) {
      const Authentication& job = *jobs[i < count ? i : 0];  // a lane too many does the first again
      keys[i] = job.key;
      texts.text[i] = job.text;
      texts.size[i] = job.size;
      const std::size_t blocks = poly_blocks(job.size);
      longest = blocks > longest ? blocks : longest;
      shortest = blocks < shortest ? blocks : shortest;
    }
    const std::size_t end = 64 * ((longest + 3) / 4);
    for (std::size_t i = 0; i < kLanes; ++i) {
      texts.offset[i] = static_cast<std::ptrdiff_t>(16 * poly_blocks(texts.size[i])) -
                        static_cast<std::ptrdiff_t>(end);
    }

    Columns key;
    Field::load_columns(keys, key.low, key.high);
    const Element r = Field::split(key.low[0] & Field::splat(kClampLow),
                                   key.high[0] & Field::splat(kClampHigh), Field::splat(0));
    Multiplier powers[4];
    powers[0] = Field::multiplier(r);
    const Element r2 = product(r, powers[0]);
    powers[1] = Field::multiplier(r2);
    powers[2] = Field::multiplier(product(r2, powers[0]));
    powers[3] = Field::multiplier(product(r2, powers[1]));

    Limbs limbs;
    const Element h = take_all(texts, longest, shortest, powers);
    for (int i = 0; i < Field::kLimbs; ++i) Field::store(limbs.of[i], h.limb[i]);
    for (std::size_t lane = 0; lane < count; ++lane) {
      std::uint64_t limb[Field::kLimbs];
      for (int i = 0; i < Field::kLimbs; ++i) limb[i] = limbs.of[i][lane];
      Field::finish(limb, jobs[lane]->key + 16, jobs[lane]->tag);
    }
  }

  // --- One text dealt out to all lanes, two stripes at a time --------------------------------

  /// Lane i of the first: r^(2n - i), of the second: r^(n - i), where n is the number of lanes.
  struct Powers {
    Multiplier upper;
    Multiplier lower;
    Multiplier both;    // r^2n in each lane
    Multiplier stripe;  // r^n in each lane
  };

  [[gnu::always_inline]] static Element stripe_of(const std::byte* bytes, Vec bits) {
    Vec low;
    Vec high;
    Field::load_stripe(bytes, low, high);
    return Field::split(low, high, bits);
  }

  /// The stripe of a text at `offset`, where it may lack blocks in front or have the lengths.
  static Element edge_of(const Authentication& job, std::ptrdiff_t offset) {
    alignas(64) std::byte staged[kStripe < 64 ? 64 : kStripe];
    alignas(64) std::uint64_t bits[kLanes];
    for (std::size_t i = 0; i < kStripe; i += 64) {
      Field::stage(staged + i, job.text, job.size, offset + static_cast<std::ptrdiff_t>(i));
    }
    for (std::size_t i = 0; i < kLanes; ++i) {
      bits[i] = offset + static_cast<std::ptrdiff_t>(16 * i) < 0 ? 0 : Field::kTopBit;
    }
    return stripe_of(staged, Field::load(bits));
  }

  static Element take_stripes(const Authentication& job, std::size_t blocks,
                              const Element& lower_powers) {
    const Multiplier lower = Field::multiplier(lower_powers);
    const std::size_t steps = (blocks + 2 * kLanes - 1) / (2 * kLanes);
    auto offset =
        static_cast<std::ptrdiff_t>(16 * blocks) - static_cast<std::ptrdiff_t>(steps * 2 * kStripe);
    constexpr auto kStride = static_cast<std::ptrdiff_t>(kStripe);
    const Element nth = Field::first_lane(lower_powers);
    const Multiplier stripe = Field::multiplier(nth);
    const Element upper_powers = product(lower_powers, stripe);
    const Multiplier upper = Field::multiplier(upper_powers);
    const Multiplier both = Field::multiplier(Field::first_lane(upper_powers));
    const Vec bits = Field::splat(Field::kTopBit);

    Element h = edge_of(job, offset);
    Element g = steps == 1 ? edge_of(job, offset + kStride) : Field::zero();
    if (steps == 1) {
      Product p = Field::multiply(h, upper);
      Field::multiply_add(p, g, lower);
      return Field::reduce(p);
    }
    g = offset + kStride < 0 ? edge_of(job, offset + kStride)
                             : stripe_of(job.text + offset + kStride, bits);
    for (std::size_t step = 1; step < steps; ++step) {
      Product p = Field::multiply(h, both);
      Field::multiply_add(p, g, stripe);
      h = Field::reduce(p);
      offset += 2 * kStride;
      if (step + 1 < steps) {
        add(h, stripe_of(job.text + offset, bits));
        g = stripe_of(job.text + offset + kStride, bits);
      } else {
        add(h, edge_of(job, offset));
        g = edge_of(job, offset + kStride);
      }
    }
    Product p = Field::multiply(h, upper);
    Field::multiply_add(p, g, lower);
    return Field::reduce(p);
  }

  static void one(Authentication& job) {
    const std::size_t blocks = poly_blocks(job.size);
    const Element r =
        Field::split(Field::splat(little_endian(job.key) & kClampLow),
                     Field::splat(little_endian(job.key + 8) & kClampHigh), Field::splat(0));
    const Element lower = Field::powers_down(r);
    Element h;
    if (blocks <= kLanes) {
      const auto offset =
          static_cast<std::ptrdiff_t>(16 * blocks) - static_cast<std::ptrdiff_t>(kStripe);
      h = product(edge_of(job, offset), Field::multiplier(lower));
    } else {
      h = take_stripes(job, blocks, lower);
    }
    std::uint64_t sum[Field::kLimbs];
    for (int i = 0; i < Field::kLimbs; ++i) {
      Limbs limbs;
      Field::store(limbs.of[0], h.limb[i]);
      sum[i] = 0;
      for (std::size_t lane = 0; lane < kLanes; ++lane) sum[i] += limbs.of[0][lane];
    }
    Field::finish(sum, job.key + 16, job.tag);
  }
};

}  // namespace trellis::crypto::batch
