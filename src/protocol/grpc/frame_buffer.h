#pragma once

#include "base/bytes.h"

#include <cstddef>

namespace trellis::grpc {

/// Room for the frame that is being written. nghttp2 takes 16 KiB for it with every session, more
/// than all else that a quiet connection needs, and what it writes there is copied out before
/// `poll_transmit` returns. So connections that are used by one thread can share the room.
class FrameBuffer {
 public:
  /// What nghttp2 asks for: 16 KiB, the header of a frame, the length of a padding. With a version
  /// that asks for another size each connection has room of its own.
  static constexpr std::size_t kSize = 16'384 + 9 + 1;

  FrameBuffer() = default;
  FrameBuffer(const FrameBuffer&) = delete;
  FrameBuffer& operator=(const FrameBuffer&) = delete;
  ~FrameBuffer() = default;

  std::byte* data() { return bytes_.data(); }

 private:
  alignas(std::max_align_t) Bytes<kSize> bytes_{};
};

/// What one session has from it.
struct FrameBufferLoan {
  FrameBuffer* buffer = nullptr;  // null: the session has memory of its own
  bool lent = false;              // only its first one: a long header block takes several at once
};

}  // namespace trellis::grpc
