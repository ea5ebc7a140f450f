#include "protocol/wireguard/messages.h"

#include <gtest/gtest.h>

#include <optional>

namespace trellis::wireguard {
namespace {

ByteVector datagram_of(std::uint32_t type, std::size_t length) {
  ByteVector datagram(length);
  const le32 word = type;
  if (length > 0) std::memcpy(datagram.data(), &word, std::min(length, sizeof word));
  return datagram;
}

TEST(Parse, AcceptsExactlyTheLengthsOfThePaper) {
  struct Case {
    const char* name;
    std::uint32_t type;
    std::size_t length;
    std::optional<ParseError> error;
  };
  const Case cases[] = {
      {"initiation", 1, 148, std::nullopt},
      {"initiation one byte short", 1, 147, ParseError::WrongLength},
      {"initiation one byte long", 1, 149, ParseError::WrongLength},
      {"response", 2, 92, std::nullopt},
      {"response one byte short", 2, 91, ParseError::WrongLength},
      {"cookie reply", 3, 64, std::nullopt},
      {"cookie reply one byte long", 3, 65, ParseError::WrongLength},
      {"keepalive", 4, 32, std::nullopt},
      {"data", 4, 1500, std::nullopt},
      {"data without room for a tag", 4, 31, ParseError::WrongLength},
      {"type only", 4, 4, ParseError::WrongLength},
      {"type cut", 1, 3, ParseError::UnknownType},
      {"reserved byte set", 0x0100'0001, 148, ParseError::UnknownType},
      {"type 5", 5, 148, ParseError::UnknownType},
      {"type 0", 0, 32, ParseError::UnknownType},
      {"empty", 0, 0, ParseError::UnknownType},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto message = parse(datagram_of(c.type, c.length));
    EXPECT_EQ(message ? std::nullopt : std::optional(message.error()), c.error);
  }
}

TEST(Parse, ReadsTheFieldsOfData) {
  ByteVector datagram = datagram_of(4, 48);
  datagram[4] = std::byte{0x78};
  datagram[7] = std::byte{0x12};
  datagram[8] = std::byte{5};
  datagram[15] = std::byte{1};
  const auto message = parse(datagram);
  ASSERT_TRUE(message);
  const auto& data = std::get<DataMessage>(*message);
  EXPECT_EQ(data.header.receiver, 0x12000078U);
  EXPECT_EQ(data.header.counter, 0x0100'0000'0000'0005U);
  EXPECT_EQ(data.text_size, 16U);
}

}  // namespace
}  // namespace trellis::wireguard
