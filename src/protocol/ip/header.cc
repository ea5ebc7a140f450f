#include "protocol/ip/header.h"

namespace trellis::ip {

namespace {

constexpr std::size_t kV4HeaderMin = 20;
constexpr std::size_t kV6Header = 40;

std::uint16_t be16_at(ByteView packet, std::size_t offset) {
  return Reader(packet.subspan(offset)).read<be16>();
}

Expected<Header, ParseError> parse_v4(ByteView packet) {
  if (packet.size() < kV4HeaderMin) return fail(ParseError::TooShort);
  const std::size_t header_length = (std::to_integer<std::size_t>(packet[0]) & 0x0f) * 4;
  const std::size_t total_length = be16_at(packet, 2);
  if (header_length < kV4HeaderMin || total_length < header_length ||
      total_length > packet.size()) {
    return fail(ParseError::WrongLength);
  }
  return Header{IpAddress::from_bytes(packet.subspan(12, 4)),
                IpAddress::from_bytes(packet.subspan(16, 4)), total_length,
                std::to_integer<std::uint8_t>(packet[9])};
}

Expected<Header, ParseError> parse_v6(ByteView packet) {
  if (packet.size() < kV6Header) return fail(ParseError::TooShort);
  const std::size_t total_length = kV6Header + be16_at(packet, 4);
  if (total_length > packet.size()) return fail(ParseError::WrongLength);
  return Header{IpAddress::from_bytes(packet.subspan(8, 16)),
                IpAddress::from_bytes(packet.subspan(24, 16)), total_length,
                std::to_integer<std::uint8_t>(packet[6])};
}

}  // namespace

Expected<Header, ParseError> parse(ByteView packet) {
  if (packet.empty()) return fail(ParseError::TooShort);
  switch (std::to_integer<unsigned>(packet[0]) >> 4) {
    case 4:
      return parse_v4(packet);
    case 6:
      return parse_v6(packet);
    default:
      return fail(ParseError::UnknownVersion);
  }
}

}  // namespace trellis::ip
