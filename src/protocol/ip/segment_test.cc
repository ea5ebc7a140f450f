#include "protocol/ip/segment.h"

#include "protocol/ip/inner_packet_test.h"

#include <gtest/gtest.h>

#include <vector>

namespace trellis::ip {
namespace {

Offload offload_of(const InnerPacket& packet, std::uint16_t segment_size) {
  Segmentation segmentation = Segmentation::Udp;
  if (packet.tcp) segmentation = packet.v6 ? Segmentation::TcpV6 : Segmentation::TcpV4;
  return {.segmentation = segmentation,
          .needs_checksum = true,
          .header_size = static_cast<std::uint16_t>(packet.header_size()),
          .segment_size = segment_size,
          .checksum_start = static_cast<std::uint16_t>(packet.ip_size()),
          .checksum_offset = static_cast<std::uint16_t>(packet.tcp ? 16 : 6)};
}

std::vector<ByteVector> cut(const Offload& offload, ByteView packet) {
  std::vector<ByteVector> result;
  auto segmenter = Segmenter::create(offload, packet).value();
  while (!segmenter.done()) {
    ByteVector segment(segmenter.segment_bytes());
    segment.resize(segmenter.next(segment));
    result.push_back(std::move(segment));
  }
  return result;
}

TEST(Segmenter, MakesThePacketsThatTheHostWouldHaveSent) {
  for (const bool v6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      SCOPED_TRACE(std::string(v6 ? "v6 " : "v4 ") + (tcp ? "tcp" : "udp"));
      InnerPacket whole{.v6 = v6, .tcp = tcp, .sequence = 0xffff'ff00, .flags = 0xd9};
      if (tcp) whole.options = payload_of(12);
      whole.identification = 0xffff;
      whole.payload = payload_of(2500);
      const auto segments = cut(offload_of(whole, 1000), unfinished(whole));
      ASSERT_EQ(segments.size(), 3U);
      for (std::size_t i = 0; i < 3; ++i) {
        InnerPacket expected = whole;
        expected.payload = payload_of(i == 2 ? 500 : 1000, i * 1000);
        expected.sequence += static_cast<std::uint32_t>(i * 1000);
        expected.identification = static_cast<std::uint16_t>(0xffff + i);
        expected.flags = 0x50;               // ACK and ECE stay
        if (i == 0) expected.flags |= 0x80;  // CWR
        if (i == 2) expected.flags |= 0x09;  // FIN, PSH
        EXPECT_EQ(segments[i], expected.bytes()) << i;
      }
    }
  }
}

TEST(Segmenter, MakesOneOfWhatFits) {
  InnerPacket whole;
  whole.payload = payload_of(900);
  const auto segments = cut(offload_of(whole, 1000), unfinished(whole));
  ASSERT_EQ(segments.size(), 1U);
  EXPECT_EQ(segments[0], whole.bytes());
}

TEST(Segmenter, CutsTheLargestPacketIntoTheSmallestPieces) {
  InnerPacket whole;
  whole.payload = payload_of(65535 - 40);
  const auto segments = cut(offload_of(whole, 1), unfinished(whole));
  EXPECT_EQ(segments.size(), 65495U);
}

TEST(Segmenter, NeverSaysThatADatagramHasNoChecksum) {
  // A payload for which the checksum comes out as zero.
  InnerPacket packet{.tcp = false};
  packet.payload = payload_of(8);
  ByteVector bytes = packet.bytes();
  const auto checksum = Reader(ByteView(bytes).subspan(26)).read<be16>();
  // The last word takes what is missing.
  const auto last = Reader(ByteView(packet.payload).subspan(6)).read<be16>();
  const be16 adjusted(sum_of_words({}, (std::uint32_t{last} + checksum) % 0xffff));
  std::memcpy(packet.payload.data() + 6, &adjusted, 2);
  const auto segments = cut(offload_of(packet, 8), unfinished(packet));
  EXPECT_EQ(Reader(ByteView(segments.at(0)).subspan(26)).read<be16>(), 0xffff);
  EXPECT_EQ(segments.at(0), packet.bytes());
}

TEST(Segmenter, CopiesExtensionHeaders) {
  InnerPacket whole{.v6 = true, .tcp = false};
  whole.payload = payload_of(2000);
  ByteVector bytes = unfinished(whole);
  const ByteVector hop_by_hop{std::byte{17}, std::byte{0}, std::byte{1}, std::byte{4},
                              std::byte{0},  std::byte{0}, std::byte{0}, std::byte{0}};
  bytes.insert(bytes.begin() + 40, hop_by_hop.begin(), hop_by_hop.end());
  bytes[6] = std::byte{0};
  Offload offload = offload_of(whole, 1000);
  offload.checksum_start = 48;
  const auto segments = cut(offload, bytes);
  ASSERT_EQ(segments.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    InnerPacket expected = whole;
    expected.payload = payload_of(1000, i * 1000);
    ByteVector plain = expected.bytes();
    plain.insert(plain.begin() + 40, hop_by_hop.begin(), hop_by_hop.end());
    plain[6] = std::byte{0};
    const be16 length(1016);
    std::memcpy(plain.data() + 4, &length, 2);
    EXPECT_EQ(segments[i], plain);
  }
}

TEST(Segmenter, RefusesWhatIsNotWhatItSays) {
  InnerPacket whole;
  whole.payload = payload_of(2000);
  const ByteVector good = unfinished(whole);
  const Offload offload = offload_of(whole, 1000);
  struct Case {
    const char* name;
    Offload offload;
    ByteVector packet;
    SegmentError error;
  };
  const auto changed = [&](auto change) {
    Offload result = offload;
    change(result);
    return result;
  };
  const auto spoiled = [&](std::size_t at, std::uint8_t value) {
    ByteVector result = good;
    result[at] = std::byte{value};
    return result;
  };
  using enum SegmentError;
  const Case cases[] = {
      {"empty", offload, {}, NotSegmentable},
      {"v6 as v4", offload, spoiled(0, 0x65), NotSegmentable},
      {"no segmentation", changed([](Offload& o) { o.segmentation = Segmentation::None; }), good,
       NotSegmentable},
      {"segments of nothing", changed([](Offload& o) { o.segment_size = 0; }), good,
       NotSegmentable},
      {"no checksum", changed([](Offload& o) { o.needs_checksum = false; }), good, NotSegmentable},
      {"checksum elsewhere", changed([](Offload& o) { o.checksum_offset = 6; }), good,
       NotSegmentable},
      {"transport inside of the IP header", changed([](Offload& o) { o.checksum_start = 12; }),
       good, WrongLength},
      {"transport beyond the end", changed([](Offload& o) { o.checksum_start = 65000; }), good,
       WrongLength},
      {"options that are not there", offload, spoiled(0, 0x46), WrongLength},
      {"TCP header of 16 bytes", offload, spoiled(32, 0x40), WrongLength},
      {"headers only", offload, ByteVector(good.begin(), good.begin() + 40), WrongLength},
      {"header cut", offload, ByteVector(good.begin(), good.begin() + 39), WrongLength},
      {"segments beyond 64 KiB", changed([](Offload& o) { o.segment_size = 65500; }), good,
       WrongLength},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto segmenter = Segmenter::create(c.offload, c.packet);
    ASSERT_FALSE(segmenter);
    EXPECT_EQ(segmenter.error(), c.error);
  }
}

TEST(FinishChecksum, MakesThePacketWhole) {
  for (const bool v6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      InnerPacket packet{.v6 = v6, .tcp = tcp};
      packet.payload = payload_of(333);
      ByteVector bytes = unfinished(packet);
      Offload offload = offload_of(packet, 0);
      offload.segmentation = Segmentation::None;
      EXPECT_TRUE(finish_checksum(offload, bytes));
      EXPECT_EQ(bytes, packet.bytes());
    }
  }
}

TEST(FinishChecksum, LeavesTheRestAlone) {
  ByteVector bytes = InnerPacket().bytes();
  const ByteVector before = bytes;
  EXPECT_TRUE(finish_checksum(Offload{}, bytes));
  EXPECT_EQ(bytes, before);
  const Offload beyond{.needs_checksum = true, .checksum_start = 30, .checksum_offset = 9};
  const auto refused = finish_checksum(beyond, bytes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), SegmentError::WrongLength);
  EXPECT_EQ(bytes, before);
}

TEST(OffloadHeader, SaysTheSameBackAgain) {
  for (const Segmentation kind :
       {Segmentation::None, Segmentation::TcpV4, Segmentation::TcpV6, Segmentation::Udp}) {
    const Offload offload{kind, true, 54, 1300, 20, 16};
    EXPECT_EQ(OffloadHeader::of(offload).offload(), offload);
  }
  OffloadHeader header;
  header.segmentation = 0x81;  // TCP over IPv4 with ECN
  EXPECT_EQ(header.offload()->segmentation, Segmentation::TcpV4);
  header.segmentation = 3;  // fragmentation of UDP, for which we never ask
  EXPECT_FALSE(header.offload());
}

}  // namespace
}  // namespace trellis::ip
