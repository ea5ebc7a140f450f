#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace trellis::ip {

/// A TCP or UDP packet as a host would send it, with right checksums. The checksums are made by
/// RFC 1071's own words, not by the code under test.
struct InnerPacket {
  bool v6 = false;
  bool tcp = true;
  std::uint8_t host = 1;  // last byte of the source's address
  std::uint8_t class_of_service = 0;
  std::uint8_t hops = 64;
  std::uint16_t identification = 100;
  bool may_be_fragmented = false;
  std::uint32_t flow_label = 7;
  std::uint16_t source_port = 1000;
  std::uint32_t sequence = 1;
  std::uint32_t acknowledgment = 5;
  std::uint8_t flags = 0x10;  // ACK
  std::uint16_t window = 512;
  ByteVector options{};  // a multiple of four bytes
  ByteVector payload{};

  std::size_t ip_size() const { return v6 ? 40 : 20; }
  std::size_t header_size() const { return ip_size() + (tcp ? 20 + options.size() : 8); }
  ByteVector bytes() const;
};

inline std::uint16_t sum_of_words(ByteView bytes, std::uint32_t sum) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = std::to_integer<std::uint32_t>(bytes[i]);
    sum += i % 2 == 0 ? byte << 8 : byte;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

/// Of the TCP or UDP part from `start` on, with its pseudo-header.
inline std::uint16_t transport_sum(ByteView packet, std::size_t start, std::uint8_t protocol) {
  const bool v6 = start == 40;
  const std::uint16_t addresses =
      sum_of_words(v6 ? packet.subspan(8, 32) : packet.subspan(12, 8), 0);
  return sum_of_words(packet.subspan(start), std::uint32_t{addresses} + protocol +
                                                 static_cast<std::uint32_t>(packet.size() - start));
}

inline ByteVector InnerPacket::bytes() const {
  ByteVector result;
  const auto put = [&result](auto value) { append(result, bytes_of(value)); };
  const auto byte = [&result](unsigned value) { result.push_back(static_cast<std::byte>(value)); };
  const std::size_t size = header_size() + payload.size();
  const std::uint8_t protocol = tcp ? 6 : 17;
  if (v6) {
    put(be32(6U << 28 | std::uint32_t{class_of_service} << 20 | flow_label));
    put(be16(static_cast<std::uint16_t>(size - 40)));
    byte(protocol);
    byte(hops);
    for (const std::uint8_t last : {host, std::uint8_t{99}}) {
      byte(0xfd);
      result.resize(result.size() + 14);
      byte(last);
    }
  } else {
    byte(0x45);
    byte(class_of_service);
    put(be16(static_cast<std::uint16_t>(size)));
    put(be16(identification));
    put(be16(may_be_fragmented ? 0 : 0x4000));
    byte(hops);
    byte(protocol);
    put(be16(0));
    for (const std::uint8_t last : {host, std::uint8_t{99}}) {
      put(be32(10U << 24 | last));
    }
    const be16 checksum(static_cast<std::uint16_t>(~sum_of_words(result, 0)));
    std::memcpy(result.data() + 10, &checksum, 2);
  }
  put(be16(source_port));
  put(be16(5201));
  if (tcp) {
    put(be32(sequence));
    put(be32(acknowledgment));
    byte(static_cast<unsigned>((20 + options.size()) / 4) << 4);
    byte(flags);
    put(be16(window));
    put(be16(0));
    put(be16(0));
    append(result, options);
  } else {
    put(be16(static_cast<std::uint16_t>(8 + payload.size())));
    put(be16(0));
  }
  append(result, payload);
  auto sum = static_cast<std::uint16_t>(~transport_sum(result, ip_size(), protocol));
  if (!tcp && sum == 0) sum = 0xffff;
  const be16 checksum(sum);
  std::memcpy(result.data() + ip_size() + (tcp ? 16 : 6), &checksum, 2);
  return result;
}

/// Bytes that differ from place to place.
inline ByteVector payload_of(std::size_t size, std::size_t from = 0) {
  ByteVector result(size);
  for (std::size_t i = 0; i < size; ++i) {
    result[i] = static_cast<std::byte>((from + i) * 7 + (from + i) / 251);
  }
  return result;
}

/// What a stack hands to a device that cuts and sums up for it: the checksum field has the sum of
/// the pseudo-header only.
inline ByteVector unfinished(const InnerPacket& packet) {
  ByteVector bytes = packet.bytes();
  const std::size_t at = packet.ip_size() + (packet.tcp ? 16 : 6);
  bytes[at] = bytes[at + 1] = std::byte{0};
  // All but the bytes themselves: the sum over everything less the sum over those.
  const std::uint16_t whole =
      transport_sum(bytes, packet.ip_size(), packet.tcp ? std::uint8_t{6} : std::uint8_t{17});
  const std::uint16_t own = sum_of_words(ByteView(bytes).subspan(packet.ip_size()), 0);
  const be16 pseudo(static_cast<std::uint16_t>((whole + 0xffffU - own) % 0xffffU));
  std::memcpy(bytes.data() + at, &pseudo, 2);
  return bytes;
}

}  // namespace trellis::ip
