#include "system/udp.h"

#include "system/netns_test.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>
#include <string>

namespace trellis::system {
namespace {

using Family = IpAddress::Family;

using Offloads = UdpSocket::Offloads;

UdpSocket open_loopback(Offloads offloads = Offloads::AllThatTheKernelHas) {
  UdpSocket::Options options;
  options.loopback_only = true;
  options.offloads = offloads;
  return UdpSocket::open(options).value();
}

constexpr PacketBatch::Shape kLargeSlots{.slots = 32, .capacity = UdpSocket::kSlotBytes};

Endpoint loopback(Family family, std::uint16_t port) {
  return {*IpAddress::parse(family == Family::V4 ? "127.0.0.1" : "::1"), port, 0};
}

bool wait_readable(const UdpSocket& socket, Family family) {
  pollfd entry{socket.descriptor(family), POLLIN, 0};
  return ::poll(&entry, 1, 2000) == 1;
}

TEST(Udp, OnePortCarriesBothFamilies) {
  UdpSocket alice = open_loopback();
  UdpSocket bob = open_loopback();
  ASSERT_TRUE(alice.has_v6()) << "this host has no IPv6";
  EXPECT_NE(alice.port(), 0);
  EXPECT_NE(alice.port(), bob.port());
  PacketBatch batch(kLargeSlots);
  std::vector<ReceivedDatagram> received;
  for (const Family family : {Family::V4, Family::V6}) {
    const std::string text = family == Family::V4 ? "four" : "sixsix";
    const OutgoingDatagram datagram{loopback(family, bob.port()), as_bytes(text)};
    EXPECT_EQ(alice.send(std::span(&datagram, 1)), 1u);
    ASSERT_TRUE(wait_readable(bob, family));
    bob.receive(family, batch, received);
    ASSERT_EQ(received.size(), 1u);
    EXPECT_EQ(received[0].from, loopback(family, alice.port()));
    EXPECT_EQ(to_vector(received[0].bytes), to_vector(as_bytes(text)));
    EXPECT_EQ(received[0].bytes.data(), batch.slot(0).data());
  }
}

/// All of `sizes` from one socket to another one, in order.
void expect_to_arrive(Family family, const std::vector<std::size_t>& sizes, Offloads sender,
                      Offloads receiver) {
  UdpSocket alice = open_loopback(sender);
  UdpSocket bob = open_loopback(receiver);
  std::vector<ByteVector> payloads;
  std::vector<OutgoingDatagram> datagrams;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    payloads.emplace_back(sizes[i], static_cast<std::byte>(i));
  }
  for (const auto& payload : payloads) {
    datagrams.push_back({loopback(family, bob.port()), payload});
  }
  EXPECT_EQ(alice.send(datagrams), sizes.size());

  PacketBatch batch(kLargeSlots);
  std::vector<ReceivedDatagram> received;
  std::size_t count = 0;
  while (count < sizes.size() && wait_readable(bob, family)) {
    bool more = true;
    while (more) {
      more = bob.receive(family, batch, received);
      for (const auto& datagram : received) {
        ASSERT_LT(count, sizes.size());
        EXPECT_EQ(datagram.from, loopback(family, alice.port()));
        EXPECT_EQ(to_vector(datagram.bytes), payloads[count]) << count;
        ++count;
      }
    }
  }
  EXPECT_EQ(count, sizes.size());
}

TEST(Udp, SendsAndReceivesInBatchesInOrder) {
  std::vector<std::size_t> growing;  // more than two system calls carry
  for (std::size_t i = 0; i < 150; ++i) growing.push_back(100 + i);
  std::vector<std::size_t> equal(150, 1452);
  std::vector<std::size_t> mixed(40, 1452);
  mixed.push_back(96);  // ends a run
  mixed.insert(mixed.end(), 70, 96);
  mixed.push_back(97);
  mixed.push_back(0);
  mixed.push_back(0);
  mixed.insert(mixed.end(), 3, 40'000);  // no two in one message
  const Offloads all = Offloads::AllThatTheKernelHas;
  for (const Family family : {Family::V4, Family::V6}) {
    for (const auto& sizes : {growing, equal, mixed}) {
      expect_to_arrive(family, sizes, all, all);
      expect_to_arrive(family, sizes, all, Offloads::None);
      expect_to_arrive(family, sizes, Offloads::None, all);
      expect_to_arrive(family, sizes, Offloads::None, Offloads::None);
    }
  }
}

TEST(Udp, ARunComesInFewMessages) {
  UdpSocket alice = open_loopback();
  UdpSocket bob = open_loopback();
  const ByteVector payload(1452);
  const std::vector<OutgoingDatagram> datagrams(45, {loopback(Family::V4, bob.port()), payload});
  EXPECT_EQ(alice.send(datagrams), 45u);
  ASSERT_TRUE(wait_readable(bob, Family::V4));
  PacketBatch batch({.slots = 1, .capacity = UdpSocket::kSlotBytes});
  std::vector<ReceivedDatagram> received;
  bob.receive(Family::V4, batch, received);
  EXPECT_EQ(received.size(), 45u);
}

/// In a namespace: a path that takes packets of 1,280 bytes.
void send_along_a_narrow_path(Family family, Offloads offloads, bool may_be_fragmented) {
  ASSERT_EQ(std::system("ip link set lo up mtu 1280"), 0);
  UdpSocket alice = open_loopback(offloads);
  UdpSocket bob = open_loopback();
  const std::size_t largest = family == Family::V4 ? 1252 : 1232;
  const ByteVector text(largest + 1, std::byte{7});
  const Endpoint to = loopback(family, bob.port());
  std::vector<OutgoingDatagram> datagrams(20, {to, text, 2, may_be_fragmented});
  EXPECT_EQ(alice.send(datagrams), datagrams.size());
  EXPECT_EQ(alice.counters().too_long, 20u);
  const auto limits = alice.take_path_limits();
  ASSERT_EQ(limits.size(), may_be_fragmented ? 0u : 1u);
  if (!limits.empty()) {
    EXPECT_EQ(limits[0].to, to);
    EXPECT_EQ(limits[0].payload_bytes_max, largest);
  }
  EXPECT_TRUE(alice.take_path_limits().empty());

  // One that fits goes through, and one that does not is refused again.
  datagrams = {{to, ByteView(text).first(largest)}, {to, text}};
  alice.send(datagrams);
  EXPECT_EQ(alice.counters().too_long, 21u);
  PacketBatch batch(kLargeSlots);
  std::vector<ReceivedDatagram> received;
  std::size_t count = 0;
  const std::size_t expected = may_be_fragmented ? 21 : 1;
  while (count < expected && wait_readable(bob, family)) {
    bob.receive(family, batch, received);
    for (const auto& datagram : received) {
      const bool cut = ++count <= 20 && may_be_fragmented;
      EXPECT_EQ(datagram.bytes.size(), cut ? text.size() : largest);
      EXPECT_EQ(datagram.traffic_class, cut ? 2 : 0);
    }
  }
  EXPECT_EQ(count, expected);
}

TEST(Udp, WhatIsLongerThanThePathIsRefusedAndThePathTold) {
  for (const Family family : {Family::V4, Family::V6}) {
    for (const Offloads offloads : {Offloads::AllThatTheKernelHas, Offloads::None}) {
      if (!run_in_namespace([=] { send_along_a_narrow_path(family, offloads, false); })) {
        GTEST_SKIP() << "needs root: a network namespace could not be made";
      }
    }
  }
}

TEST(Udp, WhatMayBeFragmentedPassesAnyPath) {
  for (const Family family : {Family::V4, Family::V6}) {
    for (const Offloads offloads : {Offloads::AllThatTheKernelHas, Offloads::None}) {
      if (!run_in_namespace([=] { send_along_a_narrow_path(family, offloads, true); })) {
        GTEST_SKIP() << "needs root: a network namespace could not be made";
      }
    }
  }
}

TEST(Udp, CarriesTheTrafficClassOfEachDatagram) {
  for (const Family family : {Family::V4, Family::V6}) {
    for (const Offloads offloads : {Offloads::AllThatTheKernelHas, Offloads::None}) {
      UdpSocket alice = open_loopback(offloads);
      UdpSocket bob = open_loopback();
      const ByteVector text(1000);
      std::vector<OutgoingDatagram> datagrams;
      for (const std::uint8_t traffic_class :
           std::initializer_list<std::uint8_t>{0, 0, 2, 2, 2, 0x88, 1, 1, 0}) {
        datagrams.push_back({loopback(family, bob.port()), text, traffic_class});
      }
      EXPECT_EQ(alice.send(datagrams), datagrams.size());
      PacketBatch batch(kLargeSlots);
      std::vector<ReceivedDatagram> received;
      std::size_t count = 0;
      while (count < datagrams.size() && wait_readable(bob, family)) {
        bob.receive(family, batch, received);
        for (const auto& datagram : received) {
          ASSERT_LT(count, datagrams.size());
          EXPECT_EQ(datagram.traffic_class, datagrams[count++].traffic_class) << count;
        }
      }
      EXPECT_EQ(count, datagrams.size());
    }
  }
}

TEST(Udp, OneBatchMixesFamiliesAndErrorsDoNotStopIt) {
  UdpSocket alice = open_loopback();
  UdpSocket bob = open_loopback();
  const ByteVector text(10, std::byte{1});
  const ByteVector too_long(70'000, std::byte{2});
  const std::vector<OutgoingDatagram> datagrams = {
      {loopback(Family::V4, bob.port()), text},
      {loopback(Family::V6, bob.port()), text},
      {loopback(Family::V4, bob.port()), too_long},
      {loopback(Family::V4, bob.port()), text},
      {loopback(Family::V6, 0), text},  // no port: refused
      {loopback(Family::V6, bob.port()), text},
  };
  EXPECT_EQ(alice.send(datagrams), datagrams.size());
  EXPECT_EQ(alice.counters().too_long, 1u);
  EXPECT_EQ(alice.counters().other, 1u);
  PacketBatch batch(kLargeSlots);
  std::vector<ReceivedDatagram> received;
  for (const Family family : {Family::V4, Family::V6}) {
    ASSERT_TRUE(wait_readable(bob, family));
    bob.receive(family, batch, received);
    EXPECT_EQ(received.size(), 2u);
  }
}

TEST(Udp, WhatDoesNotFitASlotIsCountedAndDropped) {
  UdpSocket alice = open_loopback();
  UdpSocket bob = open_loopback();
  const ByteVector text(101);
  const OutgoingDatagram datagram{loopback(Family::V4, bob.port()), text};
  alice.send(std::span(&datagram, 1));
  ASSERT_TRUE(wait_readable(bob, Family::V4));
  PacketBatch batch({.slots = 4, .headroom = 64, .capacity = 100, .tailroom = 80});
  std::vector<ReceivedDatagram> received;
  bob.receive(Family::V4, batch, received);
  EXPECT_TRUE(received.empty());
  EXPECT_EQ(bob.counters().truncated, 1u);
}

TEST(Udp, WithoutANetworkDatagramsAreCountedOnly) {
  IN_NAMESPACE({
    UdpSocket socket = UdpSocket::open({}).value();
    const ByteVector text(10);
    const std::vector<OutgoingDatagram> datagrams = {{*Endpoint::parse("192.0.2.1:9"), text},
                                                     {*Endpoint::parse("[2001:db8::1]:9"), text}};
    EXPECT_EQ(socket.send(datagrams), 2u);
    EXPECT_EQ(socket.counters().unreachable, 2u);
    EXPECT_TRUE(socket.set_mark(7));
  });
}

TEST(Udp, NothingThereIsNoError) {
  UdpSocket socket = open_loopback();
  PacketBatch batch(kLargeSlots);
  std::vector<ReceivedDatagram> received;
  EXPECT_FALSE(socket.receive(Family::V4, batch, received));
  EXPECT_TRUE(received.empty());
}

TEST(Udp, APortInUseIsNamed) {
  const UdpSocket first = open_loopback();
  UdpSocket::Options options;
  options.loopback_only = true;
  options.port = first.port();
  const auto second = UdpSocket::open(options);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("UDP port " + std::to_string(first.port()) + " is in use"),
            std::string::npos)
      << second.error().message;
}

TEST(PacketBatch, SlotsAreApartAndAligned) {
  PacketBatch batch({.slots = 3, .headroom = 64, .capacity = 1500, .tailroom = 80});
  for (std::size_t i = 0; i < batch.size(); ++i) {
    EXPECT_EQ(batch.slot(i).size(), 1500u);
    EXPECT_EQ(std::bit_cast<std::uintptr_t>(batch.slot(i).data()) % 64, 0u);
  }
  EXPECT_GE(batch.slot(1).data() - batch.slot(0).data(), 64 + 1500 + 80);
}

}  // namespace
}  // namespace trellis::system
