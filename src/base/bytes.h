#pragma once

#include <array>
#include <bit>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace trellis {

template <std::size_t N>
using Bytes = std::array<std::byte, N>;
using ByteView = std::span<const std::byte>;
using MutableByteView = std::span<std::byte>;
using ByteVector = std::vector<std::byte>;

/// The bytes of a text, without its terminator.
inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A copy of exactly N bytes; `source.size()` must be N.
template <std::size_t N>
Bytes<N> to_array(ByteView source) {
  Bytes<N> result{};
  std::memcpy(result.data(), source.data(), std::min(N, source.size()));
  return result;
}

inline ByteVector to_vector(ByteView source) { return ByteVector(source.begin(), source.end()); }

inline void append(ByteVector& target, ByteView source) {
  target.insert(target.end(), source.begin(), source.end());
}

/// Overwrites memory in a way that the compiler may not remove.
void zeroise(MutableByteView bytes) noexcept;

/// An integer of fixed byte order and alignment 1, so that wire structs need no packing.
template <std::unsigned_integral T, std::endian Order>
class WireInteger {
 public:
  constexpr WireInteger() = default;
  constexpr WireInteger(T value) {  // NOLINT(google-explicit-constructor): a wire field is a number
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bytes_[position(i)] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
    }
  }
  constexpr operator T() const {  // NOLINT(google-explicit-constructor)
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value = static_cast<T>(value | (static_cast<T>(bytes_[position(i)]) << (8 * i)));
    }
    return value;
  }

 private:
  static constexpr std::size_t position(std::size_t i) {
    return Order == std::endian::little ? i : sizeof(T) - 1 - i;
  }
  Bytes<sizeof(T)> bytes_{};
};

using le16 = WireInteger<std::uint16_t, std::endian::little>;
using le32 = WireInteger<std::uint32_t, std::endian::little>;
using le64 = WireInteger<std::uint64_t, std::endian::little>;
using be16 = WireInteger<std::uint16_t, std::endian::big>;
using be32 = WireInteger<std::uint32_t, std::endian::big>;
using be64 = WireInteger<std::uint64_t, std::endian::big>;

/// A struct that lies on the wire as it lies in memory.
template <class T>
concept WireLayout = std::is_trivially_copyable_v<T> && alignof(T) == 1;

template <WireLayout T>
ByteView bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

template <WireLayout T>
MutableByteView mutable_bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

/// Reads front to back. After the first shortfall it yields zeros; ask `ok()` once, at the end.
class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  template <WireLayout T>
  T read() {
    T value{};
    const ByteView source = bytes(sizeof(T));
    if (source.size() == sizeof(T)) std::memcpy(&value, source.data(), sizeof(T));
    return value;
  }

  /// A view of the next n bytes, or an empty one.
  ByteView bytes(std::size_t n) {
    if (!ok_ || n > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const ByteView result = rest_.first(n);
    rest_ = rest_.subspan(n);
    return result;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  std::size_t remaining() const { return rest_.size(); }

 private:
  ByteView rest_;
  bool ok_ = true;
};

}  // namespace trellis
