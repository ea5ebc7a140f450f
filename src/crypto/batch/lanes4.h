#pragma once

// Four blocks of ChaCha20 in vectors of four words, as compilers know them on most processors. How
// words are rotated is the file's that uses it.

#include "crypto/batch/combine.h"
#include "crypto/batch/unroll.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace trellis::crypto::batch {

/// What `Isa` of ChaChaLanes is derived from in each file.
template <class Isa>
struct Lanes4Base {
  using Vec = std::uint32_t __attribute__((vector_size(16)));
  using Lanes = Vec;
  static constexpr std::size_t kLanes = 4;

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
      combine_short<Isa>(target, source, stream, size);
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

}  // namespace trellis::crypto::batch
