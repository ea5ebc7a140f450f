#pragma once

#include "base/address.h"
#include "base/bytes.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace trellis::fuzz {

/// The bytes of a fuzzer, read as a script. After its end it yields zeros and empty views.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(std::as_bytes(std::span(data, size))) {}

  bool at_end() const { return rest_.empty(); }
  std::uint8_t byte() {
    const ByteView one = bytes(1);
    return one.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(one[0]);
  }
  std::uint16_t number() {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  /// Up to n bytes.
  ByteView bytes(std::size_t n) {
    const ByteView taken = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// Exactly n bytes, the rest of them zero.
  ByteVector filled(std::size_t n) {
    ByteVector result = to_vector(bytes(n));
    result.resize(n);
    return result;
  }
  ByteView rest() { return bytes(rest_.size()); }

 private:
  ByteView rest_;
};

inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One of 256 addresses, of both families.
inline Endpoint endpoint_of(std::uint8_t number) {
  const auto last = std::byte{number};
  if (number < 128) {
    return {IpAddress::v4({std::byte{192}, std::byte{0}, std::byte{2}, last}), 51820};
  }
  Bytes<16> address{std::byte{0x20}, std::byte{0x01}, std::byte{0x0d}, std::byte{0xb8}};
  address[15] = last;
  return {IpAddress::v6(address), 51820};
}

/// Changes one byte of a datagram; does nothing to an empty one.
inline void spoil(ByteVector& datagram, std::size_t at, std::uint8_t with) {
  if (!datagram.empty()) datagram[at % datagram.size()] ^= std::byte{with};
}

}  // namespace trellis::fuzz
