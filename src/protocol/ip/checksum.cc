#include "protocol/ip/checksum.h"

#include <array>
#include <bit>

namespace trellis::ip {
namespace {

/// With the carry added back in: congruent modulo 2^16 - 1, as 2^64 = 1 there.
std::uint64_t add_round(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

std::uint16_t swapped_on_little_endian(std::uint16_t value) {
  if constexpr (std::endian::native == std::endian::big) return value;
  return static_cast<std::uint16_t>(value << 8 | value >> 8);
}

}  // namespace

InternetSum& InternetSum::add(ByteView bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  // Halves of 32 bits cannot overflow their 64 in a packet, so that nothing waits for a carry.
  std::array<std::uint64_t, 4> low{};
  std::array<std::uint64_t, 4> high{};
  for (; left >= 32; at += 32, left -= 32) {
    for (std::size_t i = 0; i < 4; ++i) {
      const auto word = load<std::uint64_t>(at + 8 * i);
      low[i] += word & 0xffff'ffff;
      high[i] += word >> 32;
    }
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 4; ++i) sum = add_round(sum, low[i] + high[i]);
  for (; left >= 2; at += 2, left -= 2) sum = add_round(sum, load<std::uint16_t>(at));
  if (left == 1) {
    const std::array<std::byte, 2> padded{*at, std::byte{0}};
    sum = add_round(sum, load<std::uint16_t>(padded.data()));
  }
  sum_ = add_round(sum_, sum);
  return *this;
}

InternetSum& InternetSum::add(std::uint16_t word) {
  sum_ = add_round(sum_, swapped_on_little_endian(word));
  return *this;
}

InternetSum& InternetSum::add(const InternetSum& other) {
  sum_ = add_round(sum_, other.sum_);
  return *this;
}

std::uint16_t InternetSum::folded() const {
  std::uint64_t sum = (sum_ >> 32) + (sum_ & 0xffff'ffff);
  while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
  return swapped_on_little_endian(static_cast<std::uint16_t>(sum));
}

InternetSum pseudo_header_sum(ByteView packet, std::uint8_t protocol, std::size_t length) {
  const bool v4 = std::to_integer<unsigned>(packet[0]) >> 4 == 4;
  InternetSum sum;
  sum.add(v4 ? packet.subspan(12, 8) : packet.subspan(8, 32));
  sum.add(std::uint16_t{protocol});
  sum.add(static_cast<std::uint16_t>(length >> 16)).add(static_cast<std::uint16_t>(length));
  return sum;
}

}  // namespace trellis::ip
