#include "protocol/control/message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>

namespace trellis::control {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Of protobuf's encoding: the low three bits of a tag.
constexpr std::uint64_t kVarint = 0;
constexpr std::uint64_t kFixed64 = 1;
constexpr std::uint64_t kLength = 2;
constexpr std::uint64_t kFixed32 = 5;

/// Ten bytes at most, seven bits each, the least significant first.
std::uint64_t read_varint(Reader& reader) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    const auto byte = std::to_integer<std::uint64_t>(reader.read<std::byte>());
    if (shift < 64) value |= (byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  reader.bytes(std::numeric_limits<std::size_t>::max());  // makes it not ok
  return 0;
}

/// Counts fields without making anything of them, so that the limits hold before memory is taken.
class Census {
 public:
  explicit Census(const MessageLimits& limits)
      : fields_left_(limits.fields_max), depth_max_(limits.depth_max) {}

  Expected<void, MessageError> count(ByteView bytes, const Descriptor& type, int depth) {
    if (depth > depth_max_) return fail(MessageError::TooDeep);
    Reader reader(bytes);
    while (reader.remaining() > 0) {
      const std::uint64_t tag = read_varint(reader);
      if (fields_left_-- == 0) return fail(MessageError::TooMany);
      TRY(count_value(reader, tag, type, depth));
    }
    if (!reader.ok()) return fail(MessageError::Malformed);
    return {};
  }

 private:
  Expected<void, MessageError> count_value(Reader& reader, std::uint64_t tag,
                                           const Descriptor& type, int depth) {
    const std::uint64_t number = tag >> 3;
    if (number == 0 || number > FieldDescriptor::kMaxNumber) return fail(MessageError::Malformed);
    switch (tag & 7) {
      case kVarint:
        read_varint(reader);
        break;
      case kFixed64:
        reader.bytes(8);
        break;
      case kFixed32:
        reader.bytes(4);
        break;
      case kLength: {
        const ByteView value = reader.bytes(read_varint(reader));
        const FieldDescriptor* field = type.FindFieldByNumber(static_cast<int>(number));
        if (field != nullptr && field->type() == FieldDescriptor::TYPE_MESSAGE) {
          return count(value, *field->message_type(), depth + 1);
        }
        break;
      }
      default:
        return fail(MessageError::Malformed);  // groups: nobody sends them
    }
    if (!reader.ok()) return fail(MessageError::Malformed);
    return {};
  }

  std::size_t fields_left_;
  int depth_max_;
};

}  // namespace

const char* to_string(MessageError error) {
  switch (error) {
    case MessageError::TooLong:
      return "too long";
    case MessageError::TooMany:
      return "too many fields";
    case MessageError::TooDeep:
      return "too deep";
    case MessageError::Malformed:
      return "malformed";
    case MessageError::BadKey:
      return "bad key";
    case MessageError::Unopenable:
      return "cannot be opened";
  }
  CHECK(false);
  return "";
}

Expected<void, MessageError> parse_into(ByteView bytes, google::protobuf::Message& message,
                                        const MessageLimits& limits) {
  if (bytes.size() > limits.bytes_max) return fail(MessageError::TooLong);
  TRY(Census(limits).count(bytes, *message.GetDescriptor(), 1));
  const google::protobuf::LogSilencer silence;  // it writes about bad UTF-8 to stderr
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(MessageError::Malformed);
  }
  return {};
}

ByteVector format_message(const google::protobuf::MessageLite& message) {
  ByteVector bytes(message.ByteSizeLong());
  google::protobuf::io::ArrayOutputStream target(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedOutputStream stream(&target);
  stream.SetSerializationDeterministic(true);  // maps in order
  message.SerializeWithCachedSizes(&stream);
  CHECK(!stream.HadError());
  return bytes;
}

ByteView field_bytes(const std::string& field) { return as_bytes(field); }

std::string to_field(ByteView bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace trellis::control
