// Whole batches through a device: what the packets of one call have to do with each other.

#include "protocol/wireguard/device_pair_test.h"

#include <gtest/gtest.h>

namespace trellis::wireguard {
namespace {

/// Packets in one buffer, each with the room around it that a device wants.
class Batch {
 public:
  explicit Batch(const std::vector<ByteVector>& contents) {
    for (const ByteVector& content : contents) {
      ByteVector buffer(Device::kHeadroom + content.size() + Device::kTailroom, std::byte{0xdd});
      std::ranges::copy(content, buffer.begin() + Device::kHeadroom);
      buffers_.push_back(std::move(buffer));
      bytes_.push_back(MutableByteView(buffers_.back()).subspan(Device::kHeadroom, content.size()));
    }
  }
  const std::vector<MutableByteView>& bytes() const { return bytes_; }

 private:
  std::vector<ByteVector> buffers_;
  std::vector<MutableByteView> bytes_;
};

std::vector<ByteVector> send(Machine& machine, TimePoint now,
                             const std::vector<ByteVector>& packets) {
  const Batch batch(packets);
  std::vector<OutboundPacket> outbound;
  for (const MutableByteView bytes : batch.bytes()) outbound.push_back({bytes});
  std::vector<OutboundDatagram> datagrams;
  machine.device->send(now, outbound, datagrams);
  std::vector<ByteVector> result;
  for (const OutboundDatagram& datagram : datagrams) result.push_back(to_vector(datagram.bytes));
  return result;
}

std::vector<ByteVector> receive(Machine& machine, TimePoint now, const Endpoint& from,
                                const std::vector<ByteVector>& datagrams) {
  const Batch batch(datagrams);
  std::vector<InboundDatagram> inbound;
  for (const MutableByteView bytes : batch.bytes()) inbound.push_back({from, bytes});
  std::vector<InboundPacket> packets;
  machine.device->receive(now, inbound, packets);
  std::vector<ByteVector> result;
  for (const InboundPacket& packet : packets) result.push_back(to_vector(packet.bytes));
  return result;
}

/// Packets of many sizes from Alice to Bob.
std::vector<ByteVector> some_packets(std::size_t count) {
  std::vector<ByteVector> packets;
  for (std::uint32_t i = 0; i < count; ++i) {
    packets.push_back(inner_packet(kAliceInside, kBobInside, i, 24 + i * 37 % 1300));
  }
  return packets;
}

TEST(DeviceBatch, CarriesABatchInItsOrder) {
  Pair pair(1);
  pair.come_up();
  const auto packets = some_packets(100);
  const auto datagrams = send(*pair.alice, pair.net.now(), packets);
  ASSERT_EQ(datagrams.size(), packets.size());
  EXPECT_EQ(receive(*pair.bob, pair.net.now(), kAliceAt, datagrams), packets);
}

TEST(DeviceBatch, AForgedDatagramHindersNoOther) {
  Pair pair(2);
  pair.come_up();
  auto packets = some_packets(60);
  auto datagrams = send(*pair.alice, pair.net.now(), packets);
  for (const std::size_t forged : {59U, 30U, 31U, 0U}) {
    datagrams[forged].back() ^= std::byte{1};
    packets.erase(packets.begin() + static_cast<std::ptrdiff_t>(forged));
  }
  EXPECT_EQ(receive(*pair.bob, pair.net.now(), kAliceAt, datagrams).size(), 56U);
  EXPECT_EQ(pair.bob->device->counters().bad_tag, 4U);
}

TEST(DeviceBatch, OpensOnceWhatComesTwiceInABatch) {
  Pair pair(3);
  pair.come_up();
  const auto packets = some_packets(20);
  auto datagrams = send(*pair.alice, pair.net.now(), packets);
  const auto again = datagrams;
  datagrams.insert(datagrams.end(), again.begin(), again.end());
  EXPECT_EQ(receive(*pair.bob, pair.net.now(), kAliceAt, datagrams), packets);
  EXPECT_EQ(pair.bob->device->counters().replayed, 20U);
  EXPECT_EQ(pair.bob->device->counters().bad_tag, 0U);
  EXPECT_EQ(receive(*pair.bob, pair.net.now(), kAliceAt, again).size(), 0U);
  EXPECT_EQ(pair.bob->device->counters().replayed, 40U);
}

TEST(DeviceBatch, DataAndHandshakesMayBeMixed) {
  Pair pair(4);
  pair.come_up();
  const auto packets = some_packets(6);
  auto datagrams = send(*pair.alice, pair.net.now(), packets);
  pair.alice->device->start_handshake(pair.net.now(), pair.bob_id, Running::Cancel);
  const auto initiation = pair.alice->device->poll_transmit();
  ASSERT_TRUE(initiation);
  datagrams.insert(datagrams.begin() + 3, initiation->bytes);
  EXPECT_EQ(receive(*pair.bob, pair.net.now(), kAliceAt, datagrams), packets);
  const auto response = pair.bob->device->poll_transmit();
  ASSERT_TRUE(response);

  // The new session is Bob's next one until the first packet under it, here within a batch.
  EXPECT_TRUE(receive(*pair.alice, pair.net.now(), kBobAt, {response->bytes}).empty());
  std::vector<ByteVector> under_new;
  while (const auto transmit = pair.alice->device->poll_transmit()) {
    under_new.push_back(transmit->bytes);  // a keepalive, to confirm it
  }
  ASSERT_EQ(under_new.size(), 1U);
  const auto more = send(*pair.alice, pair.net.now(), packets);
  under_new.insert(under_new.end(), more.begin(), more.end());
  under_new.insert(under_new.end(), datagrams.begin(), datagrams.begin() + 3);  // seen before
  const auto established = pair.bob->count<SessionEstablished>();
  EXPECT_EQ(receive(*pair.bob, pair.net.now(), kAliceAt, under_new), packets);
  EXPECT_EQ(pair.bob->device->counters().replayed, 3U);
  pair.bob->handle_timeout(pair.net.now());  // collects its events
  EXPECT_EQ(pair.bob->count<SessionEstablished>(), established + 1);
}

TEST(DeviceBatch, RefusesEachSourceThatIsNotThePeersAmongThoseThatAre) {
  Pair pair(6);
  pair.come_up();
  auto packets = some_packets(6);
  for (const std::size_t spoofed : {0U, 2U, 3U}) {
    packets[spoofed] = inner_packet(*IpAddress::parse("10.0.0.99"), kBobInside, 1);
  }
  const auto datagrams = send(*pair.alice, pair.net.now(), packets);
  ASSERT_EQ(datagrams.size(), packets.size());
  const std::vector<ByteVector> wanted = {packets[1], packets[4], packets[5]};
  EXPECT_EQ(receive(*pair.bob, pair.net.now(), kAliceAt, datagrams), wanted);
  EXPECT_EQ(pair.bob->device->counters().inner_source_refused, 3U);
}

TEST(DeviceBatch, SkipsWhatHasNoRouteOrIsNoPacket) {
  Pair pair(5);
  pair.come_up();
  auto packets = some_packets(5);
  packets[1] = inner_packet(kAliceInside, *IpAddress::parse("10.0.0.77"), 1);
  packets[3] = ByteVector(40);
  const auto datagrams = send(*pair.alice, pair.net.now(), packets);
  const std::vector<ByteVector> wanted = {packets[0], packets[2], packets[4]};
  EXPECT_EQ(receive(*pair.bob, pair.net.now(), kAliceAt, datagrams), wanted);
  EXPECT_EQ(pair.alice->device->counters().no_route, 1U);
  EXPECT_EQ(pair.alice->device->counters().outbound_malformed, 1U);
}

}  // namespace
}  // namespace trellis::wireguard
