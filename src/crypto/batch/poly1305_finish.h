#pragma once

// Internal to the kernels: what all forms of Poly1305 share. [RFC 8439 2.5]
//
// A text is a row of 16-byte blocks, the last of text (padded with zeros) followed by one that
// holds the two lengths of the AEAD. Whatever takes several blocks at a time takes them so that the
// last ones fill it; before the first ones there are then blocks that count as nothing, zero and
// without the bit 2^128: they leave an accumulator at zero.

#include "crypto/batch/kernels.h"
#include "crypto/batch/unroll.h"

#include <bit>
#include <cstring>

namespace trellis::crypto::batch {

constexpr std::uint64_t kClampLow = 0x0ffffffc0fffffff;
constexpr std::uint64_t kClampHigh = 0x0ffffffc0ffffffc;

/// With the block of lengths.
static inline std::size_t poly_blocks(std::size_t text_size) { return (text_size + 15) / 16 + 1; }

static inline std::uint64_t swap_if_big(std::uint64_t value) {
  return std::endian::native == std::endian::big ? __builtin_bswap64(value) : value;
}

static inline std::uint64_t little_endian(const std::byte* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return swap_if_big(value);
}

static inline void put_little_endian(std::byte* bytes, std::uint64_t value) {
  value = swap_if_big(value);
  std::memcpy(bytes, &value, sizeof value);
}

/// Writes 64 bytes of a text of `size` bytes, from `offset` on, which may be negative: where it is
/// not text there are zeros, and the lengths where they belong.
static inline void stage_block(std::byte* target, const std::byte* text, std::size_t size,
                               std::ptrdiff_t offset) {
  const auto end = static_cast<std::ptrdiff_t>(size);
  const std::ptrdiff_t from = offset < 0 ? 0 : offset;
  const std::ptrdiff_t to = offset + 64 < end ? offset + 64 : end;
  std::memset(target, 0, 64);
  if (from < to)
    std::memcpy(target + (from - offset), text + from, static_cast<std::size_t>(to - from));
  const auto lengths = static_cast<std::ptrdiff_t>(16 * (poly_blocks(size) - 1));
  if (offset <= lengths && lengths < offset + 64) {
    put_little_endian(target + (lengths - offset) + 8, size);
  }
}

}  // namespace trellis::crypto::batch
