#include "protocol/ip/checksum.h"

#include "protocol/ip/inner_packet_test.h"

#include <gtest/gtest.h>

namespace trellis::ip {
namespace {

TEST(InternetSum, IsThatOfTheExampleInTheRfc) {
  const std::uint8_t words[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};  // [RFC 1071 3]
  EXPECT_EQ(InternetSum().add(std::as_bytes(std::span(words))).folded(), 0xddf2);
}

TEST(InternetSum, IsThatOfWordsOneByOneForEverySize) {
  for (std::size_t size = 0; size < 300; ++size) {
    const ByteVector bytes = payload_of(size, size);
    EXPECT_EQ(InternetSum().add(bytes).folded(), sum_of_words(bytes, 0)) << size;
  }
}

TEST(InternetSum, CarriesOverTheLargestPacketOfOnes) {
  const ByteVector ones(65535, std::byte{0xff});
  EXPECT_EQ(InternetSum().add(ones).folded(), sum_of_words(ones, 0));
  InternetSum many;
  for (int i = 0; i < 1000; ++i) many.add(ones);
  std::uint32_t expected = 0;
  for (int i = 0; i < 1000; ++i) expected += sum_of_words(ones, 0);
  EXPECT_EQ(many.folded(), sum_of_words({}, (expected & 0xffff) + (expected >> 16)));
}

TEST(InternetSum, IsTheSameInParts) {
  const ByteVector bytes = payload_of(1000);
  const ByteView view(bytes);
  const InternetSum whole = InternetSum().add(view);
  EXPECT_EQ(InternetSum().add(view.first(20)).add(view.subspan(20)).folded(), whole.folded());
  InternetSum rest;
  rest.add(view.subspan(2));
  InternetSum words;
  words.add(std::uint16_t{Reader(view).read<be16>()}).add(rest);
  EXPECT_EQ(words.folded(), whole.folded());
}

TEST(InternetSum, OfAFinishedPacketIsAllOnes) {
  for (const bool v6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      InnerPacket packet{.v6 = v6, .tcp = tcp};
      packet.payload = payload_of(77);
      const ByteVector bytes = packet.bytes();
      const ByteView transport = ByteView(bytes).subspan(packet.ip_size());
      EXPECT_EQ(pseudo_header_sum(bytes, tcp ? 6 : 17, transport.size()).add(transport).folded(),
                0xffff);
    }
  }
}

}  // namespace
}  // namespace trellis::ip
