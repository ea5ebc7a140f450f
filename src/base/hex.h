#pragma once

#include "base/bytes.h"

#include <optional>
#include <string>
#include <string_view>

namespace trellis {

/// Lower case, two digits a byte.
std::string to_hex(ByteView bytes);
/// Either case, even length, nothing else.
std::optional<ByteVector> from_hex(std::string_view text);

/// Standard alphabet with padding. [RFC 4648 4]
std::string to_base64(ByteView bytes);
/// Strict: padding required, no white space, unused bits zero.
std::optional<ByteVector> from_base64(std::string_view text);

/// `from_hex` or `from_base64` to exactly N bytes.
template <std::size_t N>
std::optional<Bytes<N>> array_from_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != N) return std::nullopt;
  return to_array<N>(*bytes);
}

template <std::size_t N>
std::optional<Bytes<N>> array_from_base64(std::string_view text) {
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() != N) return std::nullopt;
  return to_array<N>(*bytes);
}

}  // namespace trellis
