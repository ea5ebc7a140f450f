#include "protocol/dns/stream.h"

#include "base/result.h"

#include <cstdint>

namespace trellis::dns {
namespace {

constexpr std::size_t kLengthBytes = 2;

}  // namespace

ByteVector frame(ByteView message) {
  CHECK(message.size() <= 0xffff);
  ByteVector result = to_vector(bytes_of(be16(static_cast<std::uint16_t>(message.size()))));
  append(result, message);
  return result;
}

void StreamReader::receive(ByteView bytes) {
  if (!failed_) append(buffer_, bytes);
}

std::optional<ByteVector> StreamReader::next() {
  if (failed_) return std::nullopt;
  Reader reader(buffer_);
  const std::size_t length = reader.read<be16>();
  if (!reader.ok()) return std::nullopt;
  if (length > message_bytes_max_) {
    failed_ = true;
    buffer_.clear();
    return std::nullopt;
  }
  if (reader.remaining() < length) return std::nullopt;
  ByteVector message = to_vector(reader.bytes(length));
  buffer_.erase(buffer_.begin(),
                buffer_.begin() + static_cast<std::ptrdiff_t>(kLengthBytes + length));
  return message;
}

}  // namespace trellis::dns
