#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <cstring>

namespace trellis {

/// Where randomness comes from: the operating system in programs, a seed in tests.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableByteView target) = 0;

  template <std::size_t N>
  Bytes<N> bytes() {
    Bytes<N> result;
    fill(result);
    return result;
  }

  std::uint32_t u32() {
    const auto raw = bytes<4>();
    std::uint32_t value = 0;
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

  std::uint64_t u64() {
    const auto raw = bytes<8>();
    std::uint64_t value = 0;
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(u64() >> 11) * 0x1.0p-53; }

  /// Uniform in [0, bound) up to a bias of bound / 2^64.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : u64() % bound; }
};

}  // namespace trellis
