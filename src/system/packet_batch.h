#pragma once

#include "base/bytes.h"

#include <cstddef>

namespace trellis::system {

/// Buffers for packets that are encrypted and decrypted in place: each slot is `headroom` spare
/// bytes, `capacity` bytes of packet, `tailroom` spare bytes. Slots are aligned to 64 bytes if
/// `headroom` is a multiple of that. Allocated once.
class PacketBatch {
 public:
  struct Shape {
    std::size_t slots = 64;
    std::size_t headroom = 64;
    std::size_t capacity = 2048;
    std::size_t tailroom = 128;
  };

  explicit PacketBatch(const Shape& shape)
      : shape_(shape),
        stride_((shape.headroom + shape.capacity + shape.tailroom + kAlignment - 1) / kAlignment *
                kAlignment),
        memory_(stride_ * shape.slots + kAlignment) {
    const auto address = std::bit_cast<std::uintptr_t>(memory_.data());
    offset_ = (kAlignment - address % kAlignment) % kAlignment;
  }

  std::size_t size() const { return shape_.slots; }
  const Shape& shape() const { return shape_; }
  /// The packet's bytes of slot `index`, all of its capacity.
  MutableByteView slot(std::size_t index) {
    return MutableByteView(memory_).subspan(offset_ + index * stride_ + shape_.headroom,
                                            shape_.capacity);
  }

 private:
  static constexpr std::size_t kAlignment = 64;

  Shape shape_;
  std::size_t stride_;
  ByteVector memory_;  // never grows
  std::size_t offset_ = 0;
};

}  // namespace trellis::system
