#include "protocol/ip/too_big.h"

#include "protocol/ip/checksum.h"
#include "protocol/ip/header.h"

#include <algorithm>
#include <cstring>

namespace trellis::ip {

namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmpV6 = 58;
constexpr std::uint8_t kHopsMax = 64;
constexpr std::uint16_t kV6Mtu = 1280;  // every link's, at least [RFC 8200 5]

/// IPv4 header without options. [RFC 791 3.1]
struct V4Header {
  std::uint8_t version_and_words = 0x45;
  std::uint8_t type_of_service = 0;
  be16 total_length;
  be16 identification;
  be16 fragment;
  std::uint8_t time_to_live = kHopsMax;
  std::uint8_t protocol = kIcmp;
  be16 checksum;
  Bytes<4> source;
  Bytes<4> destination;
};
static_assert(WireLayout<V4Header> && sizeof(V4Header) == 20);

/// [RFC 8200 3]
struct V6Header {
  be32 version_class_flow{6U << 28};
  be16 payload_length;
  std::uint8_t next_header = kIcmpV6;
  std::uint8_t hop_limit = kHopsMax;
  Bytes<16> source;
  Bytes<16> destination;
};
static_assert(WireLayout<V6Header> && sizeof(V6Header) == 40);

/// Both versions' error messages begin alike, but for where the MTU stands.
struct V4TooBig {
  std::uint8_t type = 3;  // destination unreachable
  std::uint8_t code = 4;  // fragmentation needed
  be16 checksum;
  be16 unused;
  be16 mtu;
};
static_assert(WireLayout<V4TooBig> && sizeof(V4TooBig) == 8);

struct V6TooBig {
  std::uint8_t type = 2;
  std::uint8_t code = 0;
  be16 checksum;
  be32 mtu;
};
static_assert(WireLayout<V6TooBig> && sizeof(V6TooBig) == 8);

// As much of the packet as an error of either version may have. [RFC 1812 4.3.2.3, RFC 4443 2.4]
constexpr std::size_t kV4AnswerMax = 576;
constexpr std::size_t kV6AnswerMax = 1280;

bool is_single_host(const IpAddress& address) {
  return !address.is_multicast() && !address.is_unspecified() &&
         address != *IpAddress::parse("255.255.255.255");
}

std::uint8_t byte_at(ByteView packet, std::size_t offset) {
  return std::to_integer<std::uint8_t>(packet[offset]);
}

/// Errors are not answered with errors. What is not known to be a question counts as one of those.
bool is_v4_error(ByteView packet) {
  if (byte_at(packet, 9) != kIcmp) return false;
  const std::size_t header = std::size_t{byte_at(packet, 0) & 0x0fU} * 4;
  if (packet.size() <= header) return true;
  const std::uint8_t type = byte_at(packet, header);
  return type != 0 && type != 8;  // echo reply, echo
}

bool is_v6_error(ByteView packet) {
  if (byte_at(packet, 6) != kIcmpV6) return false;
  return packet.size() <= sizeof(V6Header) || byte_at(packet, sizeof(V6Header)) < 128;
}

template <std::size_t N>
Bytes<N> address_bytes(const IpAddress& address) {
  Bytes<N> result;
  std::ranges::copy(address.bytes(), result.begin());
  return result;
}

std::optional<ByteVector> v4_too_big(const Header& asked, ByteView packet, std::uint16_t mtu) {
  if (is_v4_error(packet) || !shrinks_when_told(packet)) return std::nullopt;
  packet =
      packet.first(std::min(packet.size(), kV4AnswerMax - sizeof(V4Header) - sizeof(V4TooBig)));
  V4Header header;
  header.total_length =
      static_cast<std::uint16_t>(sizeof(V4Header) + sizeof(V4TooBig) + packet.size());
  header.source = address_bytes<4>(asked.destination);
  header.destination = address_bytes<4>(asked.source);
  header.checksum = InternetSum().add(bytes_of(header)).checksum();
  V4TooBig message;
  message.mtu = mtu;
  message.checksum = InternetSum().add(bytes_of(message)).add(packet).checksum();
  ByteVector result = to_vector(bytes_of(header));
  append(result, bytes_of(message));
  append(result, packet);
  return result;
}

std::optional<ByteVector> v6_too_big(const Header& asked, ByteView packet, std::uint16_t mtu) {
  if (is_v6_error(packet)) return std::nullopt;
  packet =
      packet.first(std::min(packet.size(), kV6AnswerMax - sizeof(V6Header) - sizeof(V6TooBig)));
  V6Header header;
  header.payload_length = static_cast<std::uint16_t>(sizeof(V6TooBig) + packet.size());
  header.source = address_bytes<16>(asked.destination);
  header.destination = address_bytes<16>(asked.source);
  V6TooBig message;
  message.mtu = std::max(mtu, kV6Mtu);
  message.checksum = pseudo_header_sum(bytes_of(header), kIcmpV6, sizeof message + packet.size())
                         .add(bytes_of(message))
                         .add(packet)
                         .checksum();
  ByteVector result = to_vector(bytes_of(header));
  append(result, bytes_of(message));
  append(result, packet);
  return result;
}

}  // namespace

bool shrinks_when_told(ByteView packet) {
  constexpr unsigned kDontFragment = 0x4000;
  constexpr unsigned kOffset = 0x1fff;
  if (byte_at(packet, 0) >> 4 == 6) return packet.size() > kV6Mtu;
  const unsigned fragment = Reader(packet.subspan(6)).read<be16>();
  return (fragment & kDontFragment) != 0 && (fragment & kOffset) == 0;
}

std::optional<ByteVector> too_big(ByteView packet, std::uint16_t mtu) {
  const auto header = parse(packet);
  CHECK(header);
  if (!is_single_host(header->source) || !is_single_host(header->destination)) return std::nullopt;
  packet = packet.first(header->total_length);
  return header->source.is_v4() ? v4_too_big(*header, packet, mtu)
                                : v6_too_big(*header, packet, mtu);
}

}  // namespace trellis::ip
