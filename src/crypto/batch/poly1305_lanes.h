#pragma once

// Poly1305 in the 64-bit lanes of vectors: either a text in each lane, or one text dealt out to all
// lanes. [RFC 8439 2.5]
//
// `Field` gives the arithmetic mod 2^130 - 5 (see Field26): Vec, kLanes, kLimbs, kBits, mask,
// kTopBit and kTopShift (2^128 in the last limb), Element, Multiplier, Product, zero, split, join,
// multiplier, multiply, multiply_add, reduce, powers_down, first_lane; of vectors of 64-bit numbers
// splat, load, store, sum, first; of memory load_columns, load_stripe, stage; and kTextsMin: fewer
// texts than that are better dealt out one by one.

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

  [[gnu::always_inline]] static Element product(const Element& a, const Multiplier& b) {
    Product p = Field::multiply(a, b);
    return Field::reduce(p);
  }

  [[gnu::always_inline]] static void add(Element& a, const Element& b) {
    unroll<Field::kLimbs>([&]<int I>() { a.limb[I] += b.limb[I]; });
  }

  /// 2^128 in the lanes whose block is at no negative offset.
  [[gnu::always_inline]] static Vec top_bits(Vec offset) {
    return (~offset >> 63) << Field::kTopShift;
  }

  /// A carry from each limb to the next; what the last one has too much comes back to the first.
  [[gnu::always_inline]] static Vec carry(Element& h) {
    unroll<Field::kLimbs - 1>([&]<int I>() {
      h.limb[I + 1] += h.limb[I] >> Field::kBits[I];
      h.limb[I] &= Field::splat(Field::mask(I));
    });
    constexpr int kLast = Field::kLimbs - 1;
    const Vec over = h.limb[kLast] >> Field::kBits[kLast];
    h.limb[kLast] &= Field::splat(Field::mask(kLast));
    return over;
  }

  /// The tags, (h mod 2^130 - 5) + s mod 2^128, as their two halves.
  [[gnu::always_inline]] static void finish(Element h, const Element& s, Vec& low, Vec& high) {
    const Vec over = carry(h);
    h.limb[0] += over + (over << 2);  // h is below 2^130 and a few now
    // If h is 2^130 - 5 or more, h + 5 is carried beyond 2^130, and what stays is the remainder.
    Element g = h;
    g.limb[0] += Field::splat(5);
    const Vec keep = carry(g) - Field::splat(1);
    unroll<Field::kLimbs>(
        [&]<int I>() { h.limb[I] = ((h.limb[I] & keep) | (g.limb[I] & ~keep)) + s.limb[I]; });
    carry(h);
    Field::join(h, low, high);
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

  /// (h + c0) r^4 + c1 r^3 + c2 r^2 + c3 r. What waits for the step before comes last.
  [[gnu::always_inline]] static void take(Element& h, const Columns& c, const Vec* bits,
                                          const Multiplier* powers) {
    Product p = Field::multiply(Field::split(c.low[3], c.high[3], bits[3]), powers[0]);
    Field::multiply_add(p, Field::split(c.low[2], c.high[2], bits[2]), powers[1]);
    Field::multiply_add(p, Field::split(c.low[1], c.high[1], bits[1]), powers[2]);
    add(h, Field::split(c.low[0], c.high[0], bits[0]));
    Field::multiply_add(p, h, powers[3]);
    h = Field::reduce(p);
  }

  /// A step that is not full of text in each lane.
  static void take_edge(Element& h, const Texts& texts, const Multiplier* powers) {
    alignas(64) std::byte staged[kLanes][64];
    alignas(64) std::uint64_t offsets[kLanes];
    const std::byte* rows[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      Field::stage(staged[lane], texts.text[lane], texts.size[lane], texts.offset[lane]);
      rows[lane] = staged[lane];
      offsets[lane] = static_cast<std::uint64_t>(texts.offset[lane]);
    }
    Columns columns;
    Field::load_columns(rows, columns.low, columns.high);
    const Vec offset = Field::load(offsets);
    const Vec bit[4] = {top_bits(offset), top_bits(offset + Field::splat(16)),
                        top_bits(offset + Field::splat(32)), top_bits(offset + Field::splat(48))};
    take(h, columns, bit, powers);
  }

  /// Some steps that are full of text in each lane.
  static void take_full(Element& h, const Texts& texts, std::size_t steps,
                        const Multiplier* powers) {
    const Vec bit = Field::splat(Field::kTopBit);
    const Vec bits[4] = {bit, bit, bit, bit};
    const std::byte* rows[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) rows[i] = texts.text[i] + texts.offset[i];
    for (std::size_t step = 0; step < steps; ++step) {
      Columns columns;
      Field::load_columns(rows, columns.low, columns.high);
      unroll<static_cast<int>(kLanes)>([&]<int I>() { rows[I] += 64; });
      take(h, columns, bits, powers);
    }
  }

  static Element take_all(Texts& texts, std::size_t longest, std::size_t shortest,
                          const Multiplier* powers) {
    const std::size_t steps = (longest + 3) / 4;
    const std::size_t full_from = steps - shortest / 4;
    Element h = Field::zero();
    std::size_t step = 0;
    const auto advance = [&texts](std::size_t n) {
      for (std::ptrdiff_t& offset : texts.offset) offset += static_cast<std::ptrdiff_t>(64 * n);
    };
    for (; step < full_from && step + 1 < steps; ++step) {
      take_edge(h, texts, powers);
      advance(1);
    }
    if (step + 1 < steps) {
      take_full(h, texts, steps - 1 - step, powers);
      advance(steps - 1 - step);
    }
    take_edge(h, texts, powers);
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

    const Element s = Field::split(key.low[1], key.high[1], Field::splat(0));
    Vec low;
    Vec high;
    finish(take_all(texts, longest, shortest, powers), s, low, high);
    alignas(64) std::uint64_t halves[2][kLanes];
    Field::store(halves[0], low);
    Field::store(halves[1], high);
    for (std::size_t lane = 0; lane < count; ++lane) {
      put_little_endian(jobs[lane]->tag, halves[0][lane]);
      put_little_endian(jobs[lane]->tag + 8, halves[1][lane]);
    }
  }

  // --- One text dealt out to all lanes, two stripes at a time --------------------------------

  [[gnu::always_inline]] static Element stripe_of(const std::byte* bytes, Vec bits) {
    Vec low;
    Vec high;
    Field::load_stripe(bytes, low, high);
    return Field::split(low, high, bits);
  }

  /// The stripe of a text at `offset`, where it may lack blocks in front or have the lengths.
  static Element edge_of(const Authentication& job, std::ptrdiff_t offset) {
    alignas(64) std::byte staged[kStripe < 64 ? 64 : kStripe];
    alignas(64) std::uint64_t offsets[kLanes];
    for (std::size_t i = 0; i < kStripe; i += 64) {
      Field::stage(staged + i, job.text, job.size, offset + static_cast<std::ptrdiff_t>(i));
    }
    for (std::size_t i = 0; i < kLanes; ++i) {
      offsets[i] = static_cast<std::uint64_t>(offset) + 16 * i;
    }
    return stripe_of(staged, top_bits(Field::load(offsets)));
  }

  /// `lower_powers`: r^n in the first lane, ... r in the last one, where n is kLanes.
  static Element take_stripes(const Authentication& job, std::size_t blocks,
                              const Element& lower_powers) {
    constexpr auto kStride = static_cast<std::ptrdiff_t>(kStripe);
    const auto steps = static_cast<std::ptrdiff_t>((blocks + 2 * kLanes - 1) / (2 * kLanes));
    const std::ptrdiff_t start = static_cast<std::ptrdiff_t>(16 * blocks) - steps * 2 * kStride;
    const std::ptrdiff_t last = start + (steps - 1) * 2 * kStride;

    const Multiplier by_n = Field::multiplier(Field::first_lane(lower_powers));
    const Element upper_powers = product(lower_powers, by_n);  // r^2n to r^(n + 1)
    const Multiplier by_2n = Field::multiplier(Field::first_lane(upper_powers));
    const Vec bits = Field::splat(Field::kTopBit);

    Element upper = edge_of(job, start);
    Element lower = edge_of(job, start + kStride);
    for (std::ptrdiff_t offset = start + 2 * kStride; offset <= last; offset += 2 * kStride) {
      Product p = Field::multiply(lower, by_n);
      Field::multiply_add(p, upper, by_2n);
      upper = Field::reduce(p);
      if (offset < last) {
        add(upper, stripe_of(job.text + offset, bits));
        lower = stripe_of(job.text + offset + kStride, bits);
      } else {
        add(upper, edge_of(job, offset));
        lower = edge_of(job, offset + kStride);
      }
    }
    Product p = Field::multiply(lower, Field::multiplier(lower_powers));
    Field::multiply_add(p, upper, Field::multiplier(upper_powers));
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
    unroll<Field::kLimbs>([&]<int I>() { h.limb[I] = Field::sum(h.limb[I]); });
    const Element s = Field::split(Field::splat(little_endian(job.key + 16)),
                                   Field::splat(little_endian(job.key + 24)), Field::splat(0));
    Vec low;
    Vec high;
    finish(h, s, low, high);
    put_little_endian(job.tag, Field::first(low));
    put_little_endian(job.tag + 8, Field::first(high));
  }
};

}  // namespace trellis::crypto::batch
