#include "protocol/ip/header.h"

#include <gtest/gtest.h>

namespace trellis::ip {
namespace {

ByteVector v4_packet(std::size_t size, std::size_t total_length, std::uint8_t first = 0x45) {
  ByteVector packet(size);
  const std::uint8_t head[] = {first,
                               0,
                               static_cast<std::uint8_t>(total_length >> 8),
                               static_cast<std::uint8_t>(total_length),
                               0,
                               0,
                               0,
                               0,
                               64,
                               17,
                               0,
                               0,
                               10,
                               0,
                               0,
                               1,
                               10,
                               0,
                               0,
                               2};
  std::memcpy(packet.data(), head, std::min(size, sizeof head));
  return packet;
}

ByteVector v6_packet(std::size_t size, std::size_t payload_length) {
  ByteVector packet(size);
  packet[0] = std::byte{0x60};
  packet[4] = static_cast<std::byte>(payload_length >> 8);
  packet[5] = static_cast<std::byte>(payload_length);
  packet[6] = std::byte{58};
  if (size >= 40) {
    packet[8] = packet[24] = std::byte{0xfd};
    packet[23] = std::byte{1};
    packet[39] = std::byte{2};
  }
  return packet;
}

TEST(Parse, ReadsBothFamilies) {
  const auto v4 = parse(v4_packet(48, 33));
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->source, IpAddress::parse("10.0.0.1"));
  EXPECT_EQ(v4->destination, IpAddress::parse("10.0.0.2"));
  EXPECT_EQ(v4->total_length, 33U);
  EXPECT_EQ(v4->protocol, 17);
  const auto v6 = parse(v6_packet(64, 9));
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->source, IpAddress::parse("fd00::1"));
  EXPECT_EQ(v6->destination, IpAddress::parse("fd00::2"));
  EXPECT_EQ(v6->total_length, 49U);
  EXPECT_EQ(v6->protocol, 58);
}

TEST(Parse, RefusesWhatDoesNotFit) {
  struct Case {
    const char* name;
    ByteVector packet;
    ParseError error;
  };
  ByteVector version5 = v4_packet(40, 40, 0x55);
  const Case cases[] = {
      {"empty", {}, ParseError::TooShort},
      {"v4 header cut", v4_packet(19, 19), ParseError::TooShort},
      {"v4 longer than it is", v4_packet(40, 41), ParseError::WrongLength},
      {"v4 shorter than its header", v4_packet(40, 19), ParseError::WrongLength},
      {"v4 header of 16 bytes", v4_packet(40, 40, 0x44), ParseError::WrongLength},
      {"v4 options beyond the total length", v4_packet(40, 20, 0x46), ParseError::WrongLength},
      {"v6 header cut", v6_packet(39, 0), ParseError::TooShort},
      {"v6 longer than it is", v6_packet(48, 9), ParseError::WrongLength},
      {"version 5", version5, ParseError::UnknownVersion},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto header = parse(c.packet);
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error(), c.error);
  }
}

}  // namespace
}  // namespace trellis::ip
