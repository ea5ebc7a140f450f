#include "protocol/grpc/message_reader.h"

#include <algorithm>
#include <utility>

namespace trellis::grpc {

Expected<std::optional<ByteVector>, MessageProblem> MessageReader::read(ByteView& data,
                                                                        const Bounds& bounds) {
  while (prefix_size_ < kPrefixBytes) {
    if (data.empty()) return std::nullopt;
    prefix_[prefix_size_++] = data.front();
    data = data.subspan(1);
    if (prefix_size_ == kPrefixBytes) TRY(begin_message(bounds));
  }
  const std::size_t taken = std::min(data.size(), announced_ - message_.size());
  grow(taken);
  append(message_, data.first(taken));
  data = data.subspan(taken);
  if (message_.size() < announced_) return std::nullopt;
  prefix_size_ = 0;
  announced_ = 0;
  return std::exchange(message_, {});
}

Expected<void, MessageProblem> MessageReader::begin_message(const Bounds& bounds) {
  if (prefix_[0] != std::byte{0}) return fail(MessageProblem::Compressed);
  const std::uint32_t length = Reader(ByteView(prefix_).subspan(1)).read<be32>();
  if (length > bounds.message_bytes_max) return fail(MessageProblem::TooLong);
  if (length > bounds.room) return fail(MessageProblem::NoRoom);
  announced_ = length;
  return {};
}

// Memory follows what has come and not what was announced, but never exceeds that.
void MessageReader::grow(std::size_t more) {
  const std::size_t needed = message_.size() + more;
  if (needed <= message_.capacity()) return;
  message_.reserve(std::min<std::size_t>(announced_, std::max(needed, 2 * message_.capacity())));
}

}  // namespace trellis::grpc
