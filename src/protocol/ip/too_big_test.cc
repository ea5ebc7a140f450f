#include "protocol/ip/too_big.h"

#include "protocol/ip/header.h"
#include "protocol/ip/inner_packet_test.h"

#include <gtest/gtest.h>

namespace trellis::ip {
namespace {

InnerPacket large(bool v6) {
  InnerPacket result;
  result.v6 = v6;
  result.payload = ByteVector(1400, std::byte{5});
  return result;
}

TEST(TooBig, TellsAHostOfIPv4WhatWouldPass) {
  const ByteVector packet = large(false).bytes();
  ASSERT_TRUE(shrinks_when_told(packet));
  const auto answer = too_big(packet, 1200);
  ASSERT_TRUE(answer);
  const auto asked = parse(packet);
  const auto header = parse(*answer);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->source, asked->destination);
  EXPECT_EQ(header->destination, asked->source);
  EXPECT_EQ(header->protocol, 1);
  EXPECT_EQ(header->total_length, answer->size());
  EXPECT_EQ(answer->size(), 576U);
  const ByteView bytes(*answer);
  EXPECT_EQ(sum_of_words(bytes.first(20), 0), 0xffff);
  EXPECT_EQ(sum_of_words(bytes.subspan(20), 0), 0xffff);
  EXPECT_EQ(bytes[20], std::byte{3});
  EXPECT_EQ(bytes[21], std::byte{4});
  EXPECT_EQ(std::uint16_t{Reader(bytes.subspan(26)).read<be16>()}, 1200);
  EXPECT_TRUE(std::ranges::equal(bytes.subspan(28), ByteView(packet).first(576 - 28)));
}

TEST(TooBig, TellsAHostOfIPv6WhatWouldPassButNeverLessThanItsMinimum) {
  const ByteVector packet = large(true).bytes();
  ASSERT_TRUE(shrinks_when_told(packet));
  for (const std::uint16_t mtu : std::initializer_list<std::uint16_t>{1350, 1200}) {
    const auto answer = too_big(packet, mtu);
    ASSERT_TRUE(answer);
    const ByteView bytes(*answer);
    const auto asked = parse(packet);
    const auto header = parse(bytes);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->source, asked->destination);
    EXPECT_EQ(header->destination, asked->source);
    EXPECT_EQ(header->protocol, 58);
    EXPECT_EQ(bytes.size(), 1280U);
    EXPECT_EQ(transport_sum(bytes, 40, 58), 0xffff);
    EXPECT_EQ(bytes[40], std::byte{2});
    EXPECT_EQ(std::uint32_t{Reader(bytes.subspan(44)).read<be32>()}, std::max<int>(mtu, 1280));
    EXPECT_TRUE(std::ranges::equal(bytes.subspan(48), ByteView(packet).first(1280 - 48)));
  }
}

TEST(TooBig, SaysNothingToWhoNeedNotOrMustNotBeTold) {
  InnerPacket fragmentable = large(false);
  fragmentable.may_be_fragmented = true;
  EXPECT_FALSE(shrinks_when_told(fragmentable.bytes()));
  EXPECT_FALSE(too_big(fragmentable.bytes(), 1200));

  InnerPacket smallest = large(true);
  smallest.payload.resize(1280 - smallest.header_size());
  EXPECT_FALSE(shrinks_when_told(smallest.bytes()));
  smallest.payload.resize(1281 - smallest.header_size());
  EXPECT_TRUE(shrinks_when_told(smallest.bytes()));

  for (const bool v6 : {false, true}) {
    const auto told = too_big(large(v6).bytes(), 1300);
    ASSERT_TRUE(told);
    EXPECT_FALSE(too_big(*told, 300)) << "an error is not answered with an error";
    ByteVector to_many = large(v6).bytes();
    to_many[v6 ? 24 : 16] = v6 ? std::byte{0xff} : std::byte{224};
    EXPECT_FALSE(too_big(to_many, 1300));
  }
}

/// Whatever `parse` takes, however short.
TEST(TooBig, TakesEverySmallPacket) {
  for (std::size_t size = 20; size < 60; ++size) {
    ByteVector v4(size);
    v4[0] = std::byte{0x45};
    v4[3] = static_cast<std::byte>(size);
    v4[6] = std::byte{0x40};
    for (const unsigned protocol : {1U, 6U}) {
      v4[9] = static_cast<std::byte>(protocol);
      v4[12] = v4[16] = std::byte{10};
      const auto answer = too_big(v4, 68);
      EXPECT_EQ(answer.has_value(), protocol == 6 || size > 20);
    }
  }
}

}  // namespace
}  // namespace trellis::ip
