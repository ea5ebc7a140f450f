// What a device knows of the IP packets around its datagrams: traffic class, length that passes.

#include "protocol/ip/ecn.h"
#include "protocol/wireguard/device_pair_test.h"

#include <gmock/gmock.h>

namespace trellis::wireguard {
namespace {

constexpr unsigned kDontFragment = 0x40;  // in byte 6

struct Sealed {
  ByteVector buffer;
  std::vector<OutboundDatagram> datagrams;
};

Sealed seal(Pair& pair, ByteView packet) {
  Sealed result{ByteVector(Device::kHeadroom + packet.size() + Device::kTailroom), {}};
  const auto bytes = MutableByteView(result.buffer).subspan(Device::kHeadroom, packet.size());
  std::ranges::copy(packet, bytes.begin());
  const OutboundPacket outbound{bytes};
  pair.alice->device->send(pair.net.now(), {&outbound, 1}, result.datagrams);
  return result;
}

ByteVector packet_of(std::size_t size, std::uint8_t traffic_class, unsigned fragmentation) {
  ByteVector packet = inner_packet(kAliceInside, kBobInside, 1, size);
  packet[1] = std::byte{traffic_class};
  packet[6] = static_cast<std::byte>(fragmentation);
  return packet;
}

TEST(DevicePath, DataGoesOutWithTheEcnBitsOfItsPacketAndNoMore) {
  Pair pair(71);
  pair.come_up();
  for (const auto& [inner, outer] : {std::pair{0xb8, 0}, {0xb9, 1}, {0xba, 2}, {0xbb, 2}}) {
    const Sealed sealed = seal(pair, packet_of(60, static_cast<std::uint8_t>(inner), 0));
    ASSERT_EQ(sealed.datagrams.size(), 1U);
    EXPECT_EQ(sealed.datagrams[0].traffic_class, outer);
  }
}

TEST(DevicePath, HandshakesHaveTheClassOfTheKernelsAndWhatWaitedThatOfItsPacket) {
  Pair pair(72);
  pair.alice->send(pair.net.now(), packet_of(60, 0xba, 0));
  const auto initiation = pair.alice->device->poll_transmit();
  ASSERT_TRUE(initiation);
  EXPECT_EQ(initiation->traffic_class, 0x88);
  pair.bob->handle_datagram(pair.net.now(), kAliceAt, initiation->bytes);
  const auto response = pair.bob->device->poll_transmit();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->traffic_class, 0x88);
  pair.alice->handle_datagram(pair.net.now(), kBobAt, response->bytes);
  const auto data = pair.alice->device->poll_transmit();
  ASSERT_TRUE(data);
  EXPECT_EQ(data->traffic_class, ip::kEct0);
}

TEST(DevicePath, CongestionOfTheCarrierIsToldToThePacket) {
  Pair pair(73);
  pair.come_up();
  for (const auto& [inner, told] : {std::pair{0xba, 0xbb}, {0xb8, 0xb8}}) {
    const ByteVector sent = packet_of(60, static_cast<std::uint8_t>(inner), 0);
    const Sealed sealed = seal(pair, sent);
    ByteVector bytes = to_vector(sealed.datagrams.at(0).bytes);
    const InboundDatagram datagram{kAliceAt, bytes, ip::kCongestionExperienced};
    std::vector<InboundPacket> packets;
    pair.bob->device->receive(pair.net.now(), {&datagram, 1}, packets);
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_EQ(ip::traffic_class(packets[0].bytes), told);
  }
}

TEST(DevicePath, WhatDoesNotFitThePathIsAnsweredOrPassesInFragments) {
  Pair pair(74);
  pair.come_up();
  Device& device = *pair.alice->device;
  device.note_path_limit(pair.net.now(), kElsewhere, 600);  // nobody's
  EXPECT_EQ(seal(pair, packet_of(1420, 0, kDontFragment)).datagrams.size(), 1U);

  device.note_path_limit(pair.net.now(), kBobAt, 1252);  // IPv6 of 1,280
  const Sealed largest = seal(pair, packet_of(1220, 0, kDontFragment));
  ASSERT_EQ(largest.datagrams.size(), 1U);
  EXPECT_EQ(largest.datagrams[0].bytes.size(), 1252U);  // padding would not pass
  EXPECT_FALSE(largest.datagrams[0].may_be_fragmented);
  EXPECT_EQ(device.poll_host_packet(), std::nullopt);

  EXPECT_TRUE(seal(pair, packet_of(1221, 0, kDontFragment)).datagrams.empty());
  EXPECT_EQ(device.counters().too_big, 1U);
  const auto answer = device.poll_host_packet();
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::uint16_t{Reader(ByteView(*answer).subspan(26)).read<be16>()}, 1220);
  EXPECT_EQ(device.poll_host_packet(), std::nullopt);

  const Sealed cut = seal(pair, packet_of(1221, 0, 0));
  ASSERT_EQ(cut.datagrams.size(), 1U);
  EXPECT_TRUE(cut.datagrams[0].may_be_fragmented);
  EXPECT_EQ(device.poll_host_packet(), std::nullopt);
}

TEST(DevicePath, HostsAreNotToldWithoutEnd) {
  Pair pair(75);
  pair.come_up();
  Device& device = *pair.alice->device;
  device.note_path_limit(pair.net.now(), kBobAt, 1252);
  for (int i = 0; i < 1000; ++i) seal(pair, packet_of(1400, 0, kDontFragment));
  std::size_t answers = 0;
  while (device.poll_host_packet()) ++answers;
  EXPECT_EQ(answers, 50U);
  EXPECT_EQ(device.counters().too_big, 1000U);
}

TEST(DevicePath, ALimitIsForgottenAfterTenMinutesAndWithItsAddress) {
  Pair pair(76);
  pair.come_up();
  Device& device = *pair.alice->device;
  device.note_path_limit(pair.net.now(), kBobAt, 1252);
  pair.net.run_for(601s);
  pair.alice_sends(5);
  ASSERT_TRUE(pair.net.run_until(1s, [&] { return pair.bob_has(5); }));
  EXPECT_EQ(seal(pair, packet_of(1420, 0, kDontFragment)).datagrams.size(), 1U);
  device.note_path_limit(pair.net.now(), kBobAt, 1252);
  device.set_endpoint(pair.net.now(), pair.bob_id, kElsewhere);
  EXPECT_EQ(seal(pair, packet_of(1420, 0, kDontFragment)).datagrams.size(), 1U);
}

TEST(DevicePath, BelievesNobodyWhoSaysThatNothingPasses) {
  Pair pair(77);
  pair.come_up();
  pair.alice->device->note_path_limit(pair.net.now(), kBobAt, 1);
  EXPECT_EQ(seal(pair, packet_of(500, 0, kDontFragment)).datagrams.size(), 1U);
}

}  // namespace
}  // namespace trellis::wireguard
