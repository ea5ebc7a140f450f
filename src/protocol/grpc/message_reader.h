#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <optional>

namespace trellis::grpc {

enum class MessageProblem : std::uint8_t {
  Compressed,  // we announced no compression
  TooLong,     // longer than any message may be
  NoRoom,      // this connection has too many incomplete messages
};

/// Length-prefixed messages out of the data of a stream: a byte of flags, four of length, the
/// message. [gRPC PROTOCOL-HTTP2.md, "Length-Prefixed-Message"]
class MessageReader {
 public:
  struct Bounds {
    std::size_t message_bytes_max = 0;
    std::size_t room = 0;  // for messages that are not complete yet
  };

  /// Takes bytes from the front of `data` until a message is complete or `data` is empty. Bounds
  /// are asked once, when the length is known, before anything is allocated for the message. After
  /// a problem the reader must not be used again.
  Expected<std::optional<ByteVector>, MessageProblem> read(ByteView& data, const Bounds& bounds);

  /// Is the stream between two messages?
  bool at_boundary() const { return prefix_size_ == 0; }
  /// The announced length of the message that is not complete; 0 if it is not known yet.
  std::size_t announced_bytes() const { return announced_; }

 private:
  static constexpr std::size_t kPrefixBytes = 5;

  Expected<void, MessageProblem> begin_message(const Bounds& bounds);
  void grow(std::size_t more);

  Bytes<kPrefixBytes> prefix_{};
  std::uint8_t prefix_size_ = 0;
  std::uint32_t announced_ = 0;
  ByteVector message_;
};

}  // namespace trellis::grpc
