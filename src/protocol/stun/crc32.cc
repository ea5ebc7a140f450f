#include "protocol/stun/crc32.h"

#include <array>

namespace trellis::stun {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  constexpr std::uint32_t kPolynomial = 0xedb8'8320;  // bits reversed
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
    table[i] = value;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kTable = make_table();

}  // namespace

std::uint32_t crc32(std::initializer_list<ByteView> parts) {
  std::uint32_t state = 0xffff'ffff;
  for (const ByteView part : parts) {
    for (const std::byte byte : part) {
      state = (state >> 8) ^ kTable[(state ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
    }
  }
  return state ^ 0xffff'ffff;
}

}  // namespace trellis::stun
