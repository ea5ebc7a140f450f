// ChaCha20 and Poly1305 in NEON, which every AArch64 processor has: 8 blocks of the one, 2 of the
// other side by side.

#include "crypto/batch/authenticate_lanes.h"
#include "crypto/batch/chacha_lanes.h"
#include "crypto/batch/field26.h"
#include "crypto/batch/lanes4.h"

#include <arm_neon.h>

namespace trellis::crypto::batch {
namespace {

struct Lanes4 : Lanes4Base<Lanes4> {
  template <int N>
  [[gnu::always_inline]] static Vec rotate(Vec v) {
    const auto words = reinterpret_cast<uint32x4_t>(v);
    if constexpr (N == 16) {
      const uint16x8_t halves = vrev32q_u16(vreinterpretq_u16_u32(words));
      return reinterpret_cast<Vec>(vreinterpretq_u32_u16(halves));
    } else if constexpr (N == 8) {
      static constexpr std::uint8_t kOrder[16] = {3,  0, 1, 2,  7,  4,  5,  6,
                                                  11, 8, 9, 10, 15, 12, 13, 14};
      const uint8x16_t bytes = vqtbl1q_u8(vreinterpretq_u8_u32(words), vld1q_u8(kOrder));
      return reinterpret_cast<Vec>(vreinterpretq_u32_u8(bytes));
    } else {
      return reinterpret_cast<Vec>(vsriq_n_u32(vshlq_n_u32(words, N), words, 32 - N));
    }
  }
};

/// Two vectors of four words: twice as much to do between steps that wait for each other. Half of
/// the state is worked on at a time, so 32 registers hold most of it.
struct Lanes8 {
  struct Vec {
    Lanes4::Vec half[2];

    [[gnu::always_inline]] friend Vec operator+(const Vec& a, const Vec& b) {
      return {{a.half[0] + b.half[0], a.half[1] + b.half[1]}};
    }
    [[gnu::always_inline]] friend Vec operator^(const Vec& a, const Vec& b) {
      return {{a.half[0] ^ b.half[0], a.half[1] ^ b.half[1]}};
    }
    [[gnu::always_inline]] Vec& operator+=(const Vec& other) { return *this = *this + other; }
  };
  using Lanes = Vec;

  template <int N>
  [[gnu::always_inline]] static Vec rotate(const Vec& v) {
    return {{Lanes4::rotate<N>(v.half[0]), Lanes4::rotate<N>(v.half[1])}};
  }
  [[gnu::always_inline]] static Vec splat(std::uint32_t value) {
    return {{Lanes4::splat(value), Lanes4::splat(value)}};
  }
  [[gnu::always_inline]] static Vec iota() {
    return {{Lanes4::iota(), Lanes4::iota() + Lanes4::splat(4)}};
  }
  [[gnu::always_inline]] static Lanes from(std::uint32_t lane) {
    const Vec all = iota();
    const Lanes4::Vec first = Lanes4::splat(lane);
    return {{reinterpret_cast<Lanes4::Vec>(all.half[0] >= first),
             reinterpret_cast<Lanes4::Vec>(all.half[1] >= first)}};
  }
  [[gnu::always_inline]] static Vec select(const Lanes& lanes, const Vec& a, const Vec& b) {
    return {{Lanes4::select(lanes.half[0], a.half[0], b.half[0]),
             Lanes4::select(lanes.half[1], a.half[1], b.half[1])}};
  }
  [[gnu::always_inline]] static void combine(std::byte* target, const std::byte* source,
                                             const std::byte* stream, std::size_t size) {
    Lanes4::combine(target, source, stream, size);
  }
  [[gnu::always_inline]] static void write_blocks(const Vec* word, std::byte* target) {
    unroll<2>([&]<int Half>() {
      Lanes4::Vec words[16];
      unroll<16>([&]<int I>() { words[I] = word[I].half[Half]; });
      Lanes4::write_blocks(words, target + Half * Lanes4::kLanes * kBlockSize);
    });
  }
};

struct Vectors2 {
  using Vec = std::uint64_t __attribute__((vector_size(16)));
  static constexpr std::size_t kLanes = 2;
  static constexpr std::size_t kTextsMin = 2;

  [[gnu::always_inline]] static uint64x2_t raw(Vec v) { return reinterpret_cast<uint64x2_t>(v); }
  [[gnu::always_inline]] static Vec vec(uint64x2_t raw) { return reinterpret_cast<Vec>(raw); }

  [[gnu::always_inline]] static Vec splat(std::uint64_t value) { return Vec{value, value}; }
  [[gnu::always_inline]] static Vec load(const std::uint64_t* from) { return vec(vld1q_u64(from)); }
  [[gnu::always_inline]] static void store(std::uint64_t* to, Vec value) {
    vst1q_u64(to, raw(value));
  }
  /// Of the lower 32 bits of each lane.
  [[gnu::always_inline]] static Vec multiply(Vec a, Vec b) {
    return vec(vmull_u32(vmovn_u64(raw(a)), vmovn_u64(raw(b))));
  }
  /// Of both lanes, in each.
  [[gnu::always_inline]] static Vec sum(Vec v) { return vec(vpaddq_u64(raw(v), raw(v))); }
  [[gnu::always_inline]] static std::uint64_t first(Vec v) { return vgetq_lane_u64(raw(v), 0); }
  [[gnu::always_inline]] static Vec first_lane(Vec v) { return vec(vdupq_laneq_u64(raw(v), 0)); }
  /// The first of a, the second of b.
  [[gnu::always_inline]] static Vec alternate(Vec a, Vec b) {
    return vec(vcopyq_laneq_u64(raw(a), 1, raw(b), 1));
  }

  [[gnu::always_inline]] static uint64x2_t at(const std::byte* bytes) {
    return vreinterpretq_u64_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(bytes)));
  }
  [[gnu::always_inline]] static void zip(const std::byte* a, const std::byte* b, Vec& low,
                                         Vec& high) {
    low = vec(vzip1q_u64(at(a), at(b)));
    high = vec(vzip2q_u64(at(a), at(b)));
  }
  /// A block in each lane.
  [[gnu::always_inline]] static void load_stripe(const std::byte* bytes, Vec& low, Vec& high) {
    zip(bytes, bytes + 16, low, high);
  }
  /// 64 bytes for each lane: low[i] and high[i] are the halves of block i of each.
  [[gnu::always_inline]] static void load_columns(const std::byte* const* rows, Vec* low,
                                                  Vec* high) {
    unroll<4>([&]<int I>() { zip(rows[0] + 16 * I, rows[1] + 16 * I, low[I], high[I]); });
  }
};

}  // namespace

void neon::crypt(const Run* runs, std::size_t count, std::byte* scratch) {
  if (count_blocks<Lanes8>(runs, count) <= Lanes4::kLanes) {
    ChaChaLanes<Lanes4>::crypt(runs, count, scratch);
  } else {
    ChaChaLanes<Lanes8>::crypt(runs, count, scratch);
  }
}

void neon::authenticate(Authentication* texts, std::size_t count) {
  authenticate_lanes<Field26<Vectors2>>(texts, count);
}

void neon::combine(std::byte* target, const std::byte* source, const std::byte* stream,
                   std::size_t size) {
  Lanes4::combine(target, source, stream, size);
}

}  // namespace trellis::crypto::batch
