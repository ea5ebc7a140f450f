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

constexpr std::size_t kBlock = 64;

/// Four numbers side by side; the compiler makes of it what the processor has.
using Words [[gnu::vector_size(32)]] = std::uint64_t;

/// Of words of 32 bits, in halves that cannot overflow their 64 bits: no carry is waited for.
[[gnu::always_inline]] inline std::uint64_t add_blocks(const std::byte* at, std::size_t count) {
  const Words mask = Words{} + 0xffff'ffff;
  Words low{};
  Words high{};
  Words low_again{};
  Words high_again{};
  for (const std::byte* const end = at + count * kBlock; at != end; at += kBlock) {
    Words first;
    Words second;
    std::memcpy(&first, at, sizeof first);
    std::memcpy(&second, at + sizeof first, sizeof second);
    low += first & mask;
    high += first >> 32;
    low_again += second & mask;
    high_again += second >> 32;
  }
  const Words all = low + high + low_again + high_again;
  return all[0] + all[1] + all[2] + all[3];
}

std::uint64_t sum_of_blocks_anywhere(const std::byte* at, std::size_t count) {
  return add_blocks(at, count);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] std::uint64_t sum_of_blocks_avx2(const std::byte* at, std::size_t count) {
  return add_blocks(at, count);
}
#endif

std::uint64_t sum_of_blocks(const std::byte* at, std::size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return sum_of_blocks_avx2(at, count);
#endif
  return sum_of_blocks_anywhere(at, count);
}

std::uint16_t swapped_on_little_endian(std::uint16_t value) {
  if constexpr (std::endian::native == std::endian::big) return value;
  return static_cast<std::uint16_t>(value << 8 | value >> 8);
}

}  // namespace

InternetSum& InternetSum::add(ByteView bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  const std::size_t blocks = left / kBlock;
  std::uint64_t sum = sum_of_blocks(at, blocks);
  at += blocks * kBlock;
  left -= blocks * kBlock;
  for (; left >= 4; at += 4, left -= 4) sum += load<std::uint32_t>(at);
  if (left >= 2) {
    sum += load<std::uint16_t>(at);
    at += 2;
    left -= 2;
  }
  if (left == 1) {
    const std::array<std::byte, 2> padded{*at, std::byte{0}};
    sum += load<std::uint16_t>(padded.data());
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
