// ChaCha20 and Poly1305 for any processor: vectors of four words, which compilers know on most of
// them (SSE2, NEON) and take apart elsewhere, and 64-bit multiplications.

#include "crypto/batch/authenticate_lanes.h"
#include "crypto/batch/chacha_lanes.h"
#include "crypto/batch/field26.h"
#include "crypto/batch/lanes4.h"

namespace trellis::crypto::batch {
namespace {

struct Lanes4 : Lanes4Base<Lanes4> {
  template <int N>
  [[gnu::always_inline]] static Vec rotate(Vec v) {
    return (v << N) | (v >> (32 - N));
  }
};

/// A lane by itself: no vector.
struct Scalar {
  using Vec = std::uint64_t;
  static constexpr std::size_t kLanes = 1;
  static constexpr std::size_t kTextsMin = 2;  // never

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

__extension__ using Wide = unsigned __int128;

/// Limbs of 44, 44 and 42 bits, for machines that multiply 64 by 64 bits.
struct ScalarField44 : Scalar {
  static constexpr int kLimbs = 3;
  static constexpr int kTopShift = 40;  // 88 + 40 = 128
  static constexpr std::uint64_t kTopBit = std::uint64_t{1} << kTopShift;
  static constexpr int kBits[kLimbs] = {44, 44, 42};
  static constexpr std::uint64_t mask(int limb) { return (std::uint64_t{1} << kBits[limb]) - 1; }

  /// Limbs below 2^46.
  struct Element {
    Vec limb[3];
  };
  /// 2^132 is 20: what a product has above 2^132 comes back 20 times below.
  struct Multiplier {
    Vec limb[3];
    Vec folded[3];  // 20 times the limb; the first is not used
  };
  struct Product {
    Wide limb[3];
  };

  static Element zero() { return {{0, 0, 0}}; }
  static Element split(Vec low, Vec high, Vec bit) {
    return {{low & mask(0), ((low >> 44) | (high << 20)) & mask(1), (high >> 24) | bit}};
  }
  static Multiplier multiplier(const Element& e) {
    return {{e.limb[0], e.limb[1], e.limb[2]}, {0, 20 * e.limb[1], 20 * e.limb[2]}};
  }
  static Wide wide(Vec a, Vec b) { return static_cast<Wide>(a) * b; }
  static Product multiply(const Element& a, const Multiplier& b) {
    const Vec* const x = a.limb;
    const Vec* const y = b.limb;
    return {{wide(x[0], y[0]) + wide(x[1], b.folded[2]) + wide(x[2], b.folded[1]),
             wide(x[0], y[1]) + wide(x[1], y[0]) + wide(x[2], b.folded[2]),
             wide(x[0], y[2]) + wide(x[1], y[1]) + wide(x[2], y[0])}};
  }
  static void multiply_add(Product& p, const Element& a, const Multiplier& b) {
    const Product more = multiply(a, b);
    for (int i = 0; i < 3; ++i) p.limb[i] += more.limb[i];
  }
  static Element reduce(const Product& p) {
    const Wide limb1 = p.limb[1] + static_cast<std::uint64_t>(p.limb[0] >> 44);
    const Wide limb2 = p.limb[2] + static_cast<std::uint64_t>(limb1 >> 44);
    const auto over = static_cast<std::uint64_t>(limb2 >> 42);  // times 2^130, which is 5
    const std::uint64_t limb0 = (static_cast<std::uint64_t>(p.limb[0]) & mask(0)) + 5 * over;
    return {{limb0 & mask(0), (static_cast<std::uint64_t>(limb1) & mask(1)) + (limb0 >> 44),
             static_cast<std::uint64_t>(limb2) & mask(2)}};
  }
  static Element first_lane(const Element& e) { return e; }
  static Element powers_down(const Element& r) { return r; }
  static void stage(std::byte* target, const std::byte* text, std::size_t size,
                    std::ptrdiff_t offset) {
    stage_block(target, text, size, offset);
  }
  static void join(const Element& e, Vec& low, Vec& high) {
    low = e.limb[0] | (e.limb[1] << 44);
    high = (e.limb[1] >> 20) | (e.limb[2] << 24);
  }
};

using PortableField = ScalarField44;
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
