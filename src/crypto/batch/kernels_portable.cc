// ChaCha20 and Poly1305 for any processor: vectors of four words, which compilers know on most of
// them (SSE2, NEON) and take apart elsewhere, and 64-bit multiplications.

#include "crypto/batch/authenticate_lanes.h"
#include "crypto/batch/chacha_lanes.h"
#include "crypto/batch/combine.h"
#include "crypto/batch/field26.h"

#include <bit>

namespace trellis::crypto::batch {
namespace {

struct Lanes4 {
  using Vec = std::uint32_t __attribute__((vector_size(16)));
  using Lanes = Vec;
  static constexpr std::size_t kLanes = 4;

  template <int N>
  [[gnu::always_inline]] static Vec rotate(Vec v) {
    return (v << N) | (v >> (32 - N));
  }
  [[gnu::always_inline]] static Vec splat(std::uint32_t value) {
    return Vec{value, value, value, value};
  }
  [[gnu::always_inline]] static Vec iota() { return Vec{0, 1, 2, 3}; }
  [[gnu::always_inline]] static Lanes from(std::uint32_t lane) {
    return reinterpret_cast<Vec>(iota() >= splat(lane));
  }
  [[gnu::always_inline]] static Vec select(Lanes lanes, Vec a, Vec b) {
    return (a & lanes) | (b & ~lanes);
  }
  [[gnu::always_inline]] static void combine(std::byte* target, const std::byte* source,
                                             const std::byte* stream, std::size_t size) {
    if (size >= sizeof(Vec)) {
      combine_long<Vec>(target, source, stream, size);
    } else {
      combine_short<Lanes4>(target, source, stream, size);
    }
  }

  [[gnu::always_inline]] static void put(std::byte* to, Vec words) {
    if constexpr (std::endian::native == std::endian::big) {
      words = ((words & splat(0xff00ff)) << 8) | ((words >> 8) & splat(0xff00ff));
      words = (words << 16) | (words >> 16);
    }
    std::memcpy(to, &words, sizeof words);
  }

  [[gnu::always_inline]] static void write_blocks(const Vec* word, std::byte* target) {
    unroll<4>([&]<int Quad>() {
      const Vec* const w = word + 4 * Quad;
      std::byte* const to = target + 16 * Quad;
      const Vec a = __builtin_shufflevector(w[0], w[1], 0, 4, 1, 5);
      const Vec b = __builtin_shufflevector(w[0], w[1], 2, 6, 3, 7);
      const Vec c = __builtin_shufflevector(w[2], w[3], 0, 4, 1, 5);
      const Vec d = __builtin_shufflevector(w[2], w[3], 2, 6, 3, 7);
      put(to, __builtin_shufflevector(a, c, 0, 1, 4, 5));
      put(to + 64, __builtin_shufflevector(a, c, 2, 3, 6, 7));
      put(to + 128, __builtin_shufflevector(b, d, 0, 1, 4, 5));
      put(to + 192, __builtin_shufflevector(b, d, 2, 3, 6, 7));
    });
  }
};

/// One lane.
struct Scalar {
  using Vec = std::uint64_t;
  static constexpr std::size_t kLanes = 1;
  static constexpr std::size_t kSideBySideFrom = 0;  // never

  static Vec splat(std::uint64_t value) { return value; }
  static Vec load(const std::uint64_t* from) { return *from; }
  static void store(std::uint64_t* to, Vec value) { *to = value; }
  static Vec multiply(Vec a, Vec b) { return a * b; }
  static Vec first_lane(Vec v) { return v; }
  static Vec sum(Vec v) { return v; }
  static std::uint64_t first(Vec v) { return v; }
  static void load_stripe(const std::byte* bytes, Vec& low, Vec& high) {
    low = little_endian(bytes);
    high = little_endian(bytes + 8);
  }
  static void load_columns(const std::byte* const* rows, Vec* low, Vec* high) {
    for (int i = 0; i < 4; ++i) load_stripe(rows[0] + 16 * i, low[i], high[i]);
  }
};

#ifdef __SIZEOF_INT128__
using PortableField = Field26<Scalar>;
#else
using PortableField = Field26<Scalar>;
#endif

}  // namespace

void portable::crypt(const Run* runs, std::size_t count, std::byte* scratch) {
  ChaChaLanes<Lanes4>::crypt(runs, count, scratch);
}

void portable::authenticate(Authentication* texts, std::size_t count) {
  authenticate_lanes<PortableField>(texts, count);
}

void portable::combine(std::byte* target, const std::byte* source, const std::byte* stream,
                       std::size_t size) {
  Lanes4::combine(target, source, stream, size);
}

}  // namespace trellis::crypto::batch
