#include "protocol/ip/ecn.h"

#include "protocol/ip/checksum.h"

#include <cstring>

namespace trellis::ip {

namespace {

constexpr std::size_t kV4Checksum = 10;

bool is_v4(ByteView packet) { return std::to_integer<unsigned>(packet[0]) >> 4 == 4; }

/// In words of 16 bits: the class is the second byte of the first one in IPv4, and the eight bits
/// in the middle of it in IPv6.
unsigned first_word(ByteView packet) { return Reader(packet).read<be16>(); }

void set_ecn(MutableByteView packet, std::uint8_t ecn) {
  const bool v4 = is_v4(packet);
  const unsigned shift = v4 ? 0 : 4;
  const unsigned old_word = first_word(packet);
  const unsigned new_word = (old_word & ~(unsigned{kEcnMask} << shift)) | (unsigned{ecn} << shift);
  const be16 word = static_cast<std::uint16_t>(new_word);
  std::memcpy(packet.data(), &word, sizeof word);
  if (!v4) return;
  // HC' = ~(~HC + ~m + m'). [RFC 1624 3]
  const unsigned old_sum = Reader(ByteView(packet).subspan(kV4Checksum)).read<be16>();
  unsigned sum = (~old_sum & 0xffff) + (~old_word & 0xffff) + new_word;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  const be16 checksum = static_cast<std::uint16_t>(~sum);
  std::memcpy(packet.data() + kV4Checksum, &checksum, sizeof checksum);
}

}  // namespace

std::uint8_t traffic_class(ByteView packet) {
  const unsigned word = first_word(packet);
  return static_cast<std::uint8_t>(is_v4(packet) ? word : word >> 4);
}

void note_outer_traffic_class(std::uint8_t outer, MutableByteView packet) {
  const std::uint8_t outer_ecn = outer & kEcnMask;
  const std::uint8_t inner_ecn = traffic_class(packet) & kEcnMask;
  if (inner_ecn == 0 || inner_ecn == outer_ecn) return;
  if (outer_ecn == kCongestionExperienced) {
    set_ecn(packet, kCongestionExperienced);
  } else if (outer_ecn == kEct1 && inner_ecn == kEct0) {
    set_ecn(packet, kEct1);
  }
}

}  // namespace trellis::ip
