#include "system/udp.h"

#include "system/netns_test.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <string>

namespace trellis::system {
namespace {

using Family = IpAddress::Family;

UdpSocket open_loopback() {
  UdpSocket::Options options;
  options.loopback_only = true;
  return UdpSocket::open(options).value();
}

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
  PacketBatch batch({});
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

TEST(Udp, SendsAndReceivesInBatchesInOrder) {
  UdpSocket alice = open_loopback();
  UdpSocket bob = open_loopback();
  constexpr std::size_t kCount = 150;  // more than two system calls carry
  std::vector<ByteVector> payloads;
  std::vector<OutgoingDatagram> datagrams;
  for (std::size_t i = 0; i < kCount; ++i) {
    payloads.emplace_back(100 + i, static_cast<std::byte>(i));
  }
  for (const auto& payload : payloads) {
    datagrams.push_back({loopback(Family::V4, bob.port()), payload});
  }
  EXPECT_EQ(alice.send(datagrams), kCount);

  PacketBatch batch({.slots = 32});
  std::vector<ReceivedDatagram> received;
  std::size_t count = 0;
  while (count < kCount && wait_readable(bob, Family::V4)) {
    bool more = true;
    while (more) {
      more = bob.receive(Family::V4, batch, received);
      EXPECT_LE(received.size(), 32u);
      for (const auto& datagram : received) {
        EXPECT_EQ(to_vector(datagram.bytes), payloads[count]) << count;
        ++count;
      }
    }
  }
  EXPECT_EQ(count, kCount);
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
  PacketBatch batch({});
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
  PacketBatch batch({});
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
