#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <optional>

namespace trellis::dns {

/// A message with its length (2, big endian) in front, as on TCP. At most 65,535 bytes; a longer
/// one is a mistake of ours. [RFC 1035 4.2.2]
ByteVector frame(ByteView message);

/// Takes the messages out of what a TCP connection brings, however it is cut.
class StreamReader {
 public:
  /// `message_bytes_max`: a longer message makes the stream fail, before it is kept.
  explicit StreamReader(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  /// Keeps what is not complete: at most one message, if next() is called until it has none.
  void receive(ByteView bytes);
  std::optional<ByteVector> next();

  /// A message is too long: nothing of the stream can be read any more.
  bool failed() const { return failed_; }

 private:
  std::size_t message_bytes_max_;
  ByteVector buffer_;
  bool failed_ = false;
};

}  // namespace trellis::dns
