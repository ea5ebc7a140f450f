#pragma once

#include "protocol/wireguard/device.h"
#include "system/clock.h"
#include "system/packet_batch.h"
#include "system/tun.h"
#include "system/udp.h"

#include <vector>

namespace trellis::apps {

/// Carries batches of packets between a TUN device, an engine and a UDP socket, in place, in
/// buffers of its own. `Engine` has `send`, `receive` and `poll_transmit` in the form of
/// wireguard::Device.
template <class Engine>
class PacketPump {
 public:
  PacketPump()
      : batch_({.slots = kPacketsAtOnce,
                .headroom = wireguard::Device::kHeadroom,
                .capacity = kPacketBytesMax,
                .tailroom = wireguard::Device::kTailroom}) {}

  /// From the device through the engine to the network, until the device is dry or others should
  /// have their turn. False if the interface is gone.
  bool outward(Engine& engine, system::Tun& tun, system::UdpSocket& udp) {
    for (int i = 0; i < kBatchesAtOnce; ++i) {
      const auto more = tun.read(batch_, packets_);
      if (!more) return more.error() != system::TunError::Gone;
      outbound_.clear();
      sealed_.clear();
      for (const MutableByteView packet : packets_) outbound_.push_back({packet});
      engine.send(system::boot_now(), outbound_, sealed_);
      send(udp, sealed_);
      if (!*more) break;
    }
    return true;
  }

  /// From the network through the engine to the device; without a device packets are dropped. False
  /// if the interface is gone.
  bool inward(Engine& engine, system::UdpSocket& udp, IpAddress::Family family, system::Tun* tun) {
    bool there = true;
    for (int i = 0; i < kBatchesAtOnce; ++i) {
      const bool more = udp.receive(family, batch_, received_);
      inbound_.clear();
      opened_.clear();
      for (const system::ReceivedDatagram& datagram : received_) {
        inbound_.push_back({datagram.from, datagram.bytes});
      }
      engine.receive(system::boot_now(), inbound_, opened_);
      for (const wireguard::InboundPacket& packet : opened_) {
        if (!tun || !there) break;
        const auto written = tun->write(packet.bytes);
        there = written || written.error() != system::TunError::Gone;
      }
      if (!more) break;
    }
    return there;
  }

  /// What the engine made by itself.
  void flush(Engine& engine, system::UdpSocket& udp) {
    using Transmit = typename decltype(engine.poll_transmit())::value_type;
    std::vector<Transmit> transmits;
    while (auto transmit = engine.poll_transmit()) transmits.push_back(*std::move(transmit));
    if (!transmits.empty()) send(udp, transmits);
  }

 private:
  static constexpr std::size_t kPacketsAtOnce = 64;
  static constexpr std::size_t kPacketBytesMax = 65536;
  static constexpr int kBatchesAtOnce = 8;

  /// What does not fit into the socket's buffer is lost, as on any full link.
  template <class Datagrams>
  void send(system::UdpSocket& udp, const Datagrams& datagrams) {
    outgoing_.clear();
    for (const auto& datagram : datagrams) outgoing_.push_back({datagram.to, datagram.bytes});
    udp.send(outgoing_);
  }

  system::PacketBatch batch_;  // one direction at a time
  std::vector<MutableByteView> packets_;
  std::vector<system::ReceivedDatagram> received_;
  std::vector<wireguard::OutboundPacket> outbound_;
  std::vector<wireguard::OutboundDatagram> sealed_;
  std::vector<wireguard::InboundDatagram> inbound_;
  std::vector<wireguard::InboundPacket> opened_;
  std::vector<system::OutgoingDatagram> outgoing_;
};

}  // namespace trellis::apps
