#include "protocol/ip/ecn.h"

#include "protocol/ip/inner_packet_test.h"

#include <gtest/gtest.h>

namespace trellis::ip {
namespace {

InnerPacket packet(bool v6, std::uint8_t traffic_class) {
  InnerPacket result;
  result.v6 = v6;
  result.class_of_service = traffic_class;
  result.payload = ByteVector(100, std::byte{5});
  return result;
}

TEST(Ecn, TheCarrierHasNoDscpAndNeverBeginsCongested) {
  EXPECT_EQ(outer_traffic_class(0xb8), 0);
  EXPECT_EQ(outer_traffic_class(0xb9), kEct1);
  EXPECT_EQ(outer_traffic_class(0xba), kEct0);
  EXPECT_EQ(outer_traffic_class(0xbb), kEct0);
}

/// RFC 6040 4.2, but that congestion of a carrier whose packet knows no ECN is not made a loss.
TEST(Ecn, WhatTheCarrierMetIsToldAsTheKernelDoes) {
  constexpr std::uint8_t kInnerThenOuter[4][4] = {
      // carrier: not capable, ECT(1), ECT(0), congestion
      {0, 0, 0, 0},  // not capable
      {1, 1, 1, 3},  // ECT(1)
      {2, 1, 2, 3},  // ECT(0)
      {3, 3, 3, 3},  // congestion
  };
  for (const bool v6 : {false, true}) {
    for (std::uint8_t inner = 0; inner < 4; ++inner) {
      for (std::uint8_t outer = 0; outer < 4; ++outer) {
        SCOPED_TRACE(::testing::Message() << v6 << " " << int{inner} << " " << int{outer});
        constexpr std::uint8_t kDscp = 0xb8;
        ByteVector bytes = packet(v6, kDscp | inner).bytes();
        ASSERT_EQ(traffic_class(bytes), kDscp | inner);
        note_outer_traffic_class(0x88 | outer, bytes);
        // With the right checksum, and nothing else changed.
        EXPECT_EQ(bytes, packet(v6, kDscp | kInnerThenOuter[inner][outer]).bytes());
      }
    }
  }
}

TEST(Ecn, KeepsTheChecksumRightWhateverStandsInTheHeader) {
  for (unsigned identification = 0; identification < 0x10000; identification += 7) {
    InnerPacket before = packet(false, 2);
    before.identification = static_cast<std::uint16_t>(identification);
    ByteVector bytes = before.bytes();
    note_outer_traffic_class(3, bytes);
    ASSERT_EQ(sum_of_words(ByteView(bytes).first(20), 0), 0xffff) << identification;
  }
}

}  // namespace
}  // namespace trellis::ip
