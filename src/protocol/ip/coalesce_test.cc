#include "protocol/ip/coalesce.h"

#include "protocol/ip/inner_packet_test.h"
#include "protocol/ip/segment.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <vector>

namespace trellis::ip {
namespace {

struct Joined {
  Offload offload;
  std::size_t parts;
  ByteVector bytes;
};

std::vector<Joined> join(std::vector<ByteVector> packets, Coalescer::Features features = {}) {
  Coalescer coalescer(features);
  for (ByteVector& packet : packets) coalescer.add(packet);
  std::vector<Joined> result;
  while (const auto output = coalescer.poll()) {
    Joined joined{output->offload, output->parts.size(), {}};
    for (const ByteView part : output->parts) append(joined.bytes, part);
    result.push_back(std::move(joined));
  }
  return result;
}

std::vector<ByteVector> cut(const Joined& joined) {
  if (joined.offload.segmentation == Segmentation::None) return {joined.bytes};
  std::vector<ByteVector> result;
  auto segmenter = Segmenter::create(joined.offload, joined.bytes).value();
  while (!segmenter.done()) {
    ByteVector segment(segmenter.segment_bytes());
    segment.resize(segmenter.next(segment));
    result.push_back(std::move(segment));
  }
  return result;
}

/// The packets of one flow: `sizes` of payload, in order.
std::vector<InnerPacket> flow(InnerPacket first, std::vector<std::size_t> sizes) {
  std::vector<InnerPacket> result;
  for (const std::size_t size : sizes) {
    first.payload = payload_of(size, first.sequence);
    result.push_back(first);
    first.sequence += static_cast<std::uint32_t>(size);
    ++first.identification;
  }
  return result;
}

std::vector<ByteVector> bytes_of_all(const std::vector<InnerPacket>& packets) {
  std::vector<ByteVector> result;
  for (const InnerPacket& packet : packets) result.push_back(packet.bytes());
  return result;
}

TEST(Coalescer, JoinsAFlowToWhatCutsBackIntoIt) {
  for (const bool v6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      SCOPED_TRACE(std::string(v6 ? "v6 " : "v4 ") + (tcp ? "tcp" : "udp"));
      InnerPacket first{.v6 = v6, .tcp = tcp};
      if (tcp) first.options = payload_of(12);
      const auto packets = bytes_of_all(flow(first, {1000, 1000, 1000, 1}));
      const auto joined = join(packets);
      ASSERT_EQ(joined.size(), 1U);
      EXPECT_EQ(joined[0].parts, 4U);
      EXPECT_EQ(joined[0].offload.segment_size, 1000);
      EXPECT_EQ(joined[0].offload.header_size, first.header_size());
      EXPECT_EQ(cut(joined[0]), packets);

      // It is what the host at the other end had before it was cut.
      InnerPacket whole = first;
      whole.payload = payload_of(3001, first.sequence);
      EXPECT_EQ(joined[0].bytes, unfinished(whole));
    }
  }
}

TEST(Coalescer, LeavesASinglePacketAlone) {
  InnerPacket packet;
  packet.payload = payload_of(100);
  const auto joined = join({packet.bytes()});
  ASSERT_EQ(joined.size(), 1U);
  EXPECT_EQ(joined[0].offload, Offload{});
  EXPECT_EQ(joined[0].bytes, packet.bytes());
}

TEST(Coalescer, JoinsOnlyWhatBelongsTogether) {
  struct Case {
    const char* name;
    bool v6;
    bool tcp;
    std::function<void(InnerPacket&)> change;  // of the second of two packets
    bool joins;
  };
  const auto nothing = [](InnerPacket&) {};
  const Case cases[] = {
      {"nothing changed", false, true, nothing, true},
      {"another host", false, true, [](auto& p) { p.host = 2; }, false},
      {"another host, v6", true, true, [](auto& p) { p.host = 2; }, false},
      {"another port", false, true, [](auto& p) { p.source_port = 1001; }, false},
      {"another port, udp", false, false, [](auto& p) { p.source_port = 1001; }, false},
      {"a gap", false, true, [](auto& p) { ++p.sequence; }, false},
      {"again", false, true, [](auto& p) { p.sequence -= 500; }, false},
      {"acknowledgment", false, true, [](auto& p) { ++p.acknowledgment; }, false},
      {"window", false, true, [](auto& p) { ++p.window; }, false},
      {"options", false, true, [](auto& p) { p.options[11] = std::byte{1}; }, false},
      {"fewer options", false, true, [](auto& p) { p.options.resize(8); }, false},
      {"PSH", false, true, [](auto& p) { p.flags = 0x18; }, true},
      {"FIN", false, true, [](auto& p) { p.flags = 0x11; }, true},
      {"SYN", false, true, [](auto& p) { p.flags = 0x12; }, false},
      {"RST", false, true, [](auto& p) { p.flags = 0x14; }, false},
      {"URG", false, true, [](auto& p) { p.flags = 0x30; }, false},
      {"ECE", false, true, [](auto& p) { p.flags = 0x50; }, false},
      {"CWR", false, true, [](auto& p) { p.flags = 0x90; }, false},
      {"no payload", false, true, [](auto& p) { p.payload.clear(); }, false},
      {"more payload", false, true, [](auto& p) { p.payload = payload_of(501); }, false},
      {"less payload", false, true, [](auto& p) { p.payload = payload_of(499); }, true},
      {"congestion mark", false, true, [](auto& p) { p.class_of_service = 3; }, false},
      {"congestion mark, v6", true, true, [](auto& p) { p.class_of_service = 3; }, false},
      {"flow label", true, true, [](auto& p) { ++p.flow_label; }, false},
      {"hops", false, true, [](auto& p) { --p.hops; }, false},
      {"hops, v6", true, false, [](auto& p) { --p.hops; }, false},
      {"identification, whole", false, true, [](auto& p) { p.identification = 0; }, true},
      {"may be fragmented", false, true, [](auto& p) { p.may_be_fragmented = true; }, false},
      {"no datagram", false, false, [](auto& p) { p.payload.clear(); }, false},
      {"longer datagram", false, false, [](auto& p) { p.payload = payload_of(501); }, false},
      {"shorter datagram", false, false, [](auto& p) { p.payload = payload_of(499); }, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    InnerPacket first{.v6 = c.v6, .tcp = c.tcp};
    if (c.tcp) first.options = payload_of(12);
    auto packets = flow(first, {500, 500});
    c.change(packets[1]);
    const auto joined = join(bytes_of_all(packets));
    ASSERT_EQ(joined.size(), c.joins ? 1U : 2U);
    if (!c.joins) {
      EXPECT_EQ(joined[0].bytes, packets[0].bytes());
      EXPECT_EQ(joined[1].bytes, packets[1].bytes());
    }
  }
}

TEST(Coalescer, CountsIdentificationsOfWhatMayBeFragmented) {
  InnerPacket first{.may_be_fragmented = true};
  auto packets = flow(first, {500, 500, 500});
  const auto joined = join(bytes_of_all(packets));
  ASSERT_EQ(joined.size(), 1U);
  EXPECT_EQ(cut(joined[0]), bytes_of_all(packets));
  packets[2].identification = 100;
  EXPECT_EQ(join(bytes_of_all(packets)).size(), 2U);
}

TEST(Coalescer, LetsNothingFollowAnEnd) {
  for (const std::uint8_t end : {std::uint8_t{0x18}, std::uint8_t{0x11}}) {
    auto packets = flow({}, {500, 500, 500, 500});
    packets[1].flags = end;
    const auto joined = join(bytes_of_all(packets));
    ASSERT_EQ(joined.size(), 2U);
    EXPECT_EQ(cut(joined[0]), bytes_of_all({packets[0], packets[1]}));
    EXPECT_EQ(cut(joined[1]), bytes_of_all({packets[2], packets[3]}));
  }
  const auto shorter = join(bytes_of_all(flow({}, {500, 400, 400})));
  EXPECT_EQ(shorter.size(), 2U);
}

TEST(Coalescer, NeverMendsWhatIsBroken) {
  for (const bool tcp : {false, true}) {
    for (const std::size_t broken : {0U, 1U, 2U}) {
      for (const std::size_t at : {8U, 10U, 25U, 45U, 519U}) {
        auto packets = bytes_of_all(flow({.tcp = tcp}, {500, 500, 500}));
        packets[broken][at] ^= std::byte{0x04};
        const auto joined = join(packets);
        std::vector<ByteVector> out;
        for (const Joined& j : joined) {
          for (ByteVector& packet : cut(j)) out.push_back(std::move(packet));
        }
        EXPECT_EQ(out, packets) << tcp << " " << broken << " " << at;
        EXPECT_GT(joined.size(), 1U);
      }
    }
  }
}

TEST(Coalescer, LeavesDatagramsWithoutChecksumAlone) {
  auto packets = bytes_of_all(flow({.tcp = false}, {500, 500}));
  for (ByteVector& packet : packets) packet[26] = packet[27] = std::byte{0};
  EXPECT_EQ(join(packets).size(), 2U);
}

TEST(Coalescer, LeavesOptionsAndFragmentsAlone) {
  auto packets = bytes_of_all(flow({}, {500, 500, 500}));
  packets[1][6] = std::byte{0x20};  // more fragments
  const auto joined = join(packets);
  ASSERT_EQ(joined.size(), 3U);
  EXPECT_EQ(joined[1].bytes, packets[1]);
  auto with_options = bytes_of_all(flow({}, {500, 500}));
  for (ByteVector& packet : with_options) packet[0] = std::byte{0x46};
  EXPECT_EQ(join(with_options).size(), 2U);
}

TEST(Coalescer, MakesNoPacketThatIsTooLong) {
  const auto joined = join(bytes_of_all(flow({}, std::vector<std::size_t>(60, 1400))));
  ASSERT_EQ(joined.size(), 2U);
  EXPECT_EQ(joined[0].parts, 46U);  // 40 + 46 * 1400 <= 65535
  const auto small = join(bytes_of_all(flow({.tcp = false}, std::vector<std::size_t>(100, 10))));
  ASSERT_EQ(small.size(), 2U);
  EXPECT_EQ(small[0].parts, 64U);
}

TEST(Coalescer, JoinsOnlyWhatTheDeviceTakes) {
  const auto tcp = bytes_of_all(flow({}, {500, 500}));
  const auto udp = bytes_of_all(flow({.tcp = false}, {500, 500}));
  EXPECT_EQ(join(tcp, {.tcp = false, .udp = true}).size(), 2U);
  EXPECT_EQ(join(udp, {.tcp = false, .udp = true}).size(), 1U);
  EXPECT_EQ(join(tcp, {.tcp = true, .udp = false}).size(), 1U);
  EXPECT_EQ(join(udp, {.tcp = true, .udp = false}).size(), 2U);
}

TEST(Coalescer, StartsAnewAfterClear) {
  auto packets = bytes_of_all(flow({}, {500, 500}));
  Coalescer coalescer({});
  coalescer.add(packets[0]);
  coalescer.clear();
  EXPECT_FALSE(coalescer.poll());
  coalescer.add(packets[1]);
  const auto output = coalescer.poll();
  ASSERT_TRUE(output);
  EXPECT_EQ(output->parts.size(), 1U);
  EXPECT_FALSE(coalescer.poll());
  coalescer.restart({.tcp = false, .udp = false});
  for (ByteVector& packet : packets) coalescer.add(packet);
  EXPECT_EQ(coalescer.poll()->parts.size(), 1U);
}

/// Of whose flow a packet is: addresses, protocol and ports.
ByteVector flow_name(ByteView packet) {
  const bool v4 = std::to_integer<unsigned>(packet[0]) >> 4 == 4;
  ByteVector name = to_vector(packet.subspan(v4 ? 9 : 6, 1));
  append(name, v4 ? packet.subspan(12, 12) : packet.subspan(8, 36));
  return name;
}

/// Without the identification of what may not be fragmented, and the checksum over it.
ByteVector without_meaningless(ByteVector packet) {
  const bool atomic = packet[0] == std::byte{0x45} && packet[6] == std::byte{0x40};
  if (atomic && sum_of_words(ByteView(packet).first(20), 0) == 0xffff) {
    for (const std::size_t at : {4U, 5U, 10U, 11U}) packet[at] = std::byte{0};
  }
  return packet;
}

InnerPacket random_packet(Random& random, std::map<unsigned, InnerPacket>& flows) {
  const auto name = static_cast<unsigned>(random.below(24));
  InnerPacket& state =
      flows
          .try_emplace(name, InnerPacket{.v6 = name % 2 == 1,
                                         .tcp = name % 4 < 2,
                                         .may_be_fragmented = name % 3 == 0,
                                         .source_port = static_cast<std::uint16_t>(name)})
          .first->second;
  if (random.below(20) == 0) ++state.acknowledgment;
  if (random.below(30) == 0) state.sequence += 3;
  state.flags = 0x10;
  if (random.below(10) == 0) state.flags |= 0x08;
  if (random.below(30) == 0) state.flags = static_cast<std::uint8_t>(random.below(256));
  std::size_t size = 64;
  if (random.below(8) == 0) size = random.below(70);
  state.payload = payload_of(size, state.sequence);
  InnerPacket result = state;
  state.sequence += static_cast<std::uint32_t>(size);
  ++state.identification;
  return result;
}

TEST(Coalescer, KeepsEveryPacketOfRandomFlowsAndItsOrder) {
  testing::SeededRandom random(5);
  std::size_t joined_packets = 0;
  for (int round = 0; round < 2000; ++round) {
    std::map<unsigned, InnerPacket> flows;
    std::vector<ByteVector> packets;
    const std::size_t count = 1 + random.below(120);
    for (std::size_t i = 0; i < count; ++i) {
      packets.push_back(random_packet(random, flows).bytes());
      if (random.below(40) == 0) {
        packets.back()[random.below(packets.back().size())] ^= std::byte{0x10};
      }
    }
    // By flow: what goes in comes out, in order.
    std::map<ByteVector, std::vector<ByteVector>> in;
    std::map<ByteVector, std::vector<ByteVector>> out;
    for (const ByteVector& packet : packets)
      in[flow_name(packet)].push_back(without_meaningless(packet));
    for (const Joined& joined : join(packets)) {
      if (joined.parts > 1) joined_packets += joined.parts;
      for (const ByteVector& packet : cut(joined)) {
        out[flow_name(packet)].push_back(without_meaningless(packet));
      }
    }
    ASSERT_EQ(in, out) << round;
  }
  EXPECT_GT(joined_packets, 10000U);
}

}  // namespace
}  // namespace trellis::ip
