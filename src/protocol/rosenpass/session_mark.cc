#include "protocol/rosenpass/session_mark.h"

#include "crypto/hash.h"

#include <algorithm>

namespace trellis::rosenpass {
namespace {

constexpr std::string_view kPurpose = "trellis rosenpass session";

Bytes<2> mark_of(ByteView random_half) {
  ByteVector text = to_vector(as_bytes(kPurpose));
  append(text, random_half);
  return to_array<2>(ByteView(crypto::blake2b(text)).first<2>());
}

}  // namespace

SessionId marked_session_id(Random& random) {
  SessionId id;
  random.fill(MutableByteView(id.bytes).first(2));
  std::ranges::copy(mark_of(ByteView(id.bytes).first(2)), id.bytes.begin() + 2);
  return id;
}

bool is_marked(SessionId id) {
  return std::ranges::equal(mark_of(ByteView(id.bytes).first(2)), ByteView(id.bytes).last(2));
}

}  // namespace trellis::rosenpass
