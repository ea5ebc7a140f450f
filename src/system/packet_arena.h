#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace trellis::system {

/// Packets of any size, one behind the other in one piece of memory that is allocated once. Before
/// and behind each are spare bytes of its own, for what is encrypted in place; each begins at a
/// multiple of 64 if `headroom` is one.
class PacketArena {
 public:
  struct Shape {
    std::size_t bytes = 256 << 10;
    std::size_t headroom = 64;
    std::size_t tailroom = 128;
  };

  explicit PacketArena(const Shape& shape) : shape_(shape), memory_(shape.bytes + kAlignment) {
    const auto address = std::bit_cast<std::uintptr_t>(memory_.data());
    start_ = (kAlignment - address % kAlignment) % kAlignment;
  }

  /// Gives all memory free. What was taken must not be used any more.
  void clear() { used_ = 0; }

  /// Where the next packet will lie, and how large it may be.
  MutableByteView room() {
    const std::size_t spare = shape_.headroom + shape_.tailroom;
    if (shape_.bytes - used_ <= spare) return {};
    return MutableByteView(memory_).subspan(start_ + used_ + shape_.headroom,
                                            shape_.bytes - used_ - spare);
  }

  /// The first `size` bytes of `room()`, which must have as many: they are taken now.
  MutableByteView take(std::size_t size) {
    const MutableByteView taken = room();
    CHECK(size <= taken.size());
    const std::size_t end = used_ + shape_.headroom + size + shape_.tailroom;
    used_ = std::min((end + kAlignment - 1) / kAlignment * kAlignment, shape_.bytes);
    return taken.first(size);
  }

 private:
  static constexpr std::size_t kAlignment = 64;

  Shape shape_;
  ByteVector memory_;  // never grows
  std::size_t start_ = 0;
  std::size_t used_ = 0;
};

}  // namespace trellis::system
