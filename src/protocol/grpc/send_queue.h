#pragma once

#include "base/bytes.h"

#include <algorithm>

namespace trellis::grpc {

/// Messages of one call, with their prefixes, that wait to be put into DATA frames.
class SendQueue {
 public:
  static constexpr std::size_t kPrefixBytes = 5;

  void push(ByteView message) {
    compact();
    const be32 length = static_cast<std::uint32_t>(message.size());
    reserve(kPrefixBytes + message.size());
    bytes_.push_back(std::byte{0});  // not compressed
    append(bytes_, bytes_of(length));
    append(bytes_, message);
  }

  /// Fills the front of `target`; returns how much.
  std::size_t take(MutableByteView target) {
    const std::size_t count = std::min(target.size(), size());
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(taken_), count, target.begin());
    taken_ += count;
    if (empty()) clear();
    return count;
  }

  void clear() {
    bytes_ = ByteVector();  // gives the memory back
    taken_ = 0;
  }
  bool empty() const { return size() == 0; }
  std::size_t size() const { return bytes_.size() - taken_; }

 private:
  // When half of it is sent: each byte is moved once at most for each time it was pushed.
  void compact() {
    if (taken_ <= size()) return;
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }

  void reserve(std::size_t more) {
    const std::size_t needed = bytes_.size() + more;
    if (needed > bytes_.capacity()) bytes_.reserve(std::max(needed, 2 * bytes_.size()));
  }

  ByteVector bytes_;
  std::size_t taken_ = 0;
};

}  // namespace trellis::grpc
