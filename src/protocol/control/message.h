#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>

namespace trellis::control {

/// Why what somebody sent is not taken.
enum class MessageError : std::uint8_t {
  TooLong,     // more bytes than such a message may have
  TooMany,     // more fields
  TooDeep,     // messages in messages in messages
  Malformed,   // not protobuf, or a text that is not UTF-8
  BadKey,      // a key that is not the base64 of 32 bytes, or of small order
  Unopenable,  // the box was not made by that sender for us
};
const char* to_string(MessageError error);

/// What one message may cost. Two bytes of a field can make a hundred of memory, hence the second.
struct MessageLimits {
  std::size_t bytes_max = 64 << 10;
  std::size_t fields_max = 4096;  // of the message and of all those in it
  int depth_max = 8;
};

inline constexpr MessageLimits kRequestLimits{};  // of Login, Sync, SyncMeta, keys: 64 KiB
inline constexpr MessageLimits kSignalLimits{.bytes_max = 1 << 20};
/// An EncryptedMessage of signal: stock agents put half a megabyte into each offer.
inline constexpr MessageLimits kSignalEnvelopeLimits{.bytes_max = (1 << 20) + 1024};
inline constexpr MessageLimits kMapLimits{.bytes_max = 16 << 20, .fields_max = 1 << 20};

/// Reads `bytes` into `message`, which holds nothing of use after an error. Fields that we do not
/// know are kept or dropped, never an error.
Expected<void, MessageError> parse_into(ByteView bytes, google::protobuf::Message& message,
                                        const MessageLimits& limits = kRequestLimits);

template <class T>
Expected<T, MessageError> parse_message(ByteView bytes,
                                        const MessageLimits& limits = kRequestLimits) {
  T message;
  TRY(parse_into(bytes, message, limits));
  return message;
}

/// In the order of the field numbers; what stock peers make of the same fields is the same bytes.
ByteVector format_message(const google::protobuf::MessageLite& message);

/// The bytes of a field of type `bytes` or `string`, and back.
ByteView field_bytes(const std::string& field);
std::string to_field(ByteView bytes);

}  // namespace trellis::control
