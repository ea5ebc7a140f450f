#pragma once

#include "apps/gathering.h"
#include "base/log.h"
#include "base/token_bucket.h"
#include "protocol/ip/coalesce.h"
#include "protocol/ip/segment.h"
#include "protocol/wireguard/device.h"
#include "system/clock.h"
#include "system/packet_arena.h"
#include "system/packet_batch.h"
#include "system/tun.h"
#include "system/udp.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace trellis::apps {

/// Carries packets between a TUN device, an engine and a UDP socket, in batches, in place, in
/// buffers of its own: nothing is allocated for a packet. `Engine` has `send`, `receive` and
/// `poll_transmit` in the form of wireguard::Device.
///
///   TUN: super-packet --cut--> packets --engine--> datagrams --> UDP: runs of one size
///   UDP: runs of one size --> datagrams --engine--> packets --join--> TUN: super-packet
template <class Engine>
class PacketPump {
 public:
  /// From the device through the engine to the network, until the device is dry or others should
  /// have their turn. False if the interface is gone.
  bool outward(Engine& engine, system::Tun& tun, system::UdpSocket& udp) {
    if (gathering_.should_wait()) std::this_thread::sleep_for(Gathering::kWait);
    read_ = 0;
    Source source = Source::More;
    for (int i = 0; i < kBatchesAtOnce && source == Source::More; ++i) {
      source = gather(engine, tun, udp);
      send_batch(engine, udp);
      if (!answer_host(engine, tun)) return false;
    }
    gathering_.note_read(system::boot_now(), read_);
    return source != Source::Gone;
  }

  /// From the network through the engine to the device; without a device packets are dropped. False
  /// if the interface is gone.
  bool inward(Engine& engine, system::UdpSocket& udp, IpAddress::Family family, system::Tun* tun) {
    bool there = true;
    for (int i = 0; i < kBatchesAtOnce; ++i) {
      const bool more = udp.receive(family, arrivals_, received_);
      inbound_.clear();
      opened_.clear();
      for (const system::ReceivedDatagram& datagram : received_) {
        inbound_.push_back({datagram.from, datagram.bytes, datagram.traffic_class});
      }
      engine.receive(system::boot_now(), inbound_, opened_);
      if (!opened_.empty()) gathering_.note_received();
      if (tun && there) there = deliver(*tun);
      if (!more) break;
    }
    return there;
  }

  /// What the engine made by itself.
  void flush(Engine& engine, system::UdpSocket& udp) {
    using Transmit = typename decltype(engine.poll_transmit())::value_type;
    std::vector<Transmit> transmits;
    while (auto transmit = engine.poll_transmit()) transmits.push_back(*std::move(transmit));
    if (!transmits.empty()) send(engine, udp, transmits);
  }

  /// Packets of the kernel's that were not what it said, and were dropped.
  std::uint64_t malformed() const { return malformed_; }

 private:
  static constexpr std::size_t kPacketsAtOnce = 64;
  static constexpr int kBatchesAtOnce = 8;
  enum class Source { Dry, More, Gone };

  /// Reads until a batch is full.
  Source gather(Engine& engine, system::Tun& tun, system::UdpSocket& udp) {
    whole_.clear();
    while (outbound_.size() < kPacketsAtOnce) {
      const MutableByteView room = whole_.room();
      if (room.size() < system::Tun::kPacketBytesMax) return Source::More;
      const auto packet = tun.read(room.first(system::Tun::kPacketBytesMax));
      if (!packet) return packet.error() == system::TunError::Gone ? Source::Gone : Source::Dry;
      if (!*packet) return Source::Dry;
      ++read_;
      if ((*packet)->offload.segmentation == ip::Segmentation::None) {
        add_whole(**packet);
      } else {
        add_segments(engine, udp, **packet);
      }
    }
    return Source::More;
  }

  void add_whole(const system::TunPacket& packet) {
    if (!ip::finish_checksum(packet.offload, packet.bytes)) {
      ++malformed_;
      return;
    }
    outbound_.push_back({whole_.take(packet.bytes.size())});
  }

  /// The packet itself is not needed any more afterwards: the next one may take its place.
  void add_segments(Engine& engine, system::UdpSocket& udp, const system::TunPacket& packet) {
    auto segmenter = ip::Segmenter::create(packet.offload, packet.bytes);
    if (!segmenter) {
      ++malformed_;
      return;
    }
    while (!segmenter->done()) {
      if (segments_.room().size() < segmenter->segment_bytes()) send_batch(engine, udp);
      const std::size_t size = segmenter->next(segments_.room());
      outbound_.push_back({segments_.take(size)});
    }
  }

  void send_batch(Engine& engine, system::UdpSocket& udp) {
    sealed_.clear();
    engine.send(system::boot_now(), outbound_, sealed_);
    send(engine, udp, sealed_);
    outbound_.clear();
    segments_.clear();
  }

  /// What the engine answers to this host.
  static bool answer_host(Engine& engine, system::Tun& tun) {
    if constexpr (requires { engine.poll_host_packet(); }) {
      while (const auto packet = engine.poll_host_packet()) {
        const auto written = tun.write(*packet);
        if (!written && written.error() == system::TunError::Gone) return false;
      }
    }
    return true;
  }

  /// What does not fit into the socket's buffer is lost, as on any full link.
  template <class Datagrams>
  void send(Engine& engine, system::UdpSocket& udp, const Datagrams& datagrams) {
    outgoing_.clear();
    for (const auto& datagram : datagrams) {
      outgoing_.push_back(
          {datagram.to, datagram.bytes, datagram.traffic_class, datagram.may_be_fragmented});
    }
    udp.send(outgoing_);
    for (const system::PathLimit& limit : udp.take_path_limits()) {
      if constexpr (requires { engine.poll_host_packet(); }) {
        engine.note_path_limit(system::boot_now(), limit.to, limit.payload_bytes_max);
      }
      tell(limit);
    }
  }

  /// Says what does not fit; not again for every peer behind the same narrow link.
  void tell(const system::PathLimit& limit) {
    if (!telling_.take(system::boot_now())) return;
    const std::size_t inner =
        limit.payload_bytes_max - std::min(limit.payload_bytes_max, kOverhead);
    if (inner < kSmallestMtu) {
      LOG(error, "packets",
          "the path to {} takes packets of {} bytes inside the tunnel, and IPv6 needs {}: those "
          "are "
          "sent in fragments, which is slow; give the network below an MTU of {} or more",
          limit.to.to_string(), inner, kSmallestMtu, kSmallestMtu + kOverhead + kOuterHeaders);
    } else {
      LOG(warn, "packets",
          "the path to {} takes packets of {} bytes inside the tunnel; who sends longer ones is "
          "told so: an MTU of {} spares them that",
          limit.to.to_string(), inner, inner);
    }
  }

  bool deliver(system::Tun& tun) {
    joiner_.restart({.tcp = tun.takes_tcp_segments(), .udp = tun.takes_udp_segments()});
    for (const wireguard::InboundPacket& packet : opened_) joiner_.add(packet.bytes);
    while (const auto output = joiner_.poll()) {
      const auto written = tun.write(output->offload, output->parts);
      if (!written && written.error() == system::TunError::Gone) return false;
    }
    return true;
  }

  static constexpr std::size_t kHeadroom = wireguard::Device::kHeadroom;
  static constexpr std::size_t kTailroom = wireguard::Device::kTailroom;
  static constexpr std::size_t kOverhead = 32;       // of WireGuard
  static constexpr std::size_t kOuterHeaders = 48;   // of IPv6 and UDP
  static constexpr std::size_t kSmallestMtu = 1280;  // [RFC 8200 5]

  // Outward. Packets that are sent as they are read; segments of super-packets.
  system::PacketArena whole_{{.headroom = kHeadroom, .tailroom = kTailroom}};
  system::PacketArena segments_{{.headroom = kHeadroom, .tailroom = kTailroom}};
  std::vector<wireguard::OutboundPacket> outbound_;
  std::vector<wireguard::OutboundDatagram> sealed_;
  std::vector<system::OutgoingDatagram> outgoing_;
  std::uint64_t malformed_ = 0;
  std::size_t read_ = 0;  // packets and super-packets since we were called
  Gathering gathering_;
  TokenBucket telling_{1.0 / 60, 4};

  // Inward.
  system::PacketBatch arrivals_{{.slots = kPacketsAtOnce,
                                 .headroom = kHeadroom,
                                 .capacity = system::UdpSocket::kSlotBytes,
                                 .tailroom = kTailroom}};
  std::vector<system::ReceivedDatagram> received_;
  std::vector<wireguard::InboundDatagram> inbound_;
  std::vector<wireguard::InboundPacket> opened_;
  ip::Coalescer joiner_{{}};
};

}  // namespace trellis::apps
