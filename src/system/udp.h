#pragma once

#include "base/address.h"
#include "base/result.h"
#include "system/descriptor.h"
#include "system/packet_batch.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace trellis::system {

/// A datagram that was received. `bytes` lie in a slot of the caller's batch; before and behind
/// them are the headroom and tailroom of the slot, or other datagrams of it. `from` is never an
/// IPv4-mapped address.
struct ReceivedDatagram {
  Endpoint from;
  MutableByteView bytes;
  std::uint8_t traffic_class = 0;  // IPv4: type of service
};

struct OutgoingDatagram {
  Endpoint to;
  ByteView bytes;
  std::uint8_t traffic_class = 0;
  /// Whether it may be cut into fragments here if the path takes none of its size. None are cut on
  /// the way: IPv4 says so in each packet (DF).
  bool may_be_fragmented = false;
};

/// A path that refused a datagram as too long.
struct PathLimit {
  Endpoint to;
  std::size_t payload_bytes_max;  // of a datagram that passes, as far as the kernel knows
};

/// What went wrong on the way, none of which ends anything.
struct UdpCounters {
  std::uint64_t refused = 0;      // ECONNREFUSED: nobody listened there
  std::uint64_t unreachable = 0;  // ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL; or a family we lack
  std::uint64_t too_long = 0;     // EMSGSIZE
  std::uint64_t no_buffers = 0;   // ENOBUFS, ENOMEM
  std::uint64_t forbidden = 0;    // EPERM, EACCES: a firewall of this host
  std::uint64_t other = 0;
  std::uint64_t truncated = 0;  // received, but longer than a slot: dropped
};

/// One UDP port of both families: 0.0.0.0 and, where the host has IPv6, [::]. Non-blocking. One
/// thread may receive while another one sends; the counters are then approximate.
class UdpSocket {
 public:
  /// Whether runs of datagrams go through the kernel in one piece (UDP_SEGMENT, UDP_GRO).
  enum class Offloads { None, AllThatTheKernelHas };

  struct Options {
    std::uint16_t port = 0;  // 0: the kernel picks one that is free in both families
    int receive_buffer_bytes = 4 << 20;
    int send_buffer_bytes = 4 << 20;
    std::uint32_t mark = 0;  // SO_MARK; 0: none
    bool loopback_only = false;
    Offloads offloads = Offloads::AllThatTheKernelHas;
  };

  /// Fails if the port is taken in one of the families, or the mark is not permitted.
  static Result<UdpSocket> open(const Options& options);
  UdpSocket(UdpSocket&&) noexcept;
  UdpSocket& operator=(UdpSocket&&) noexcept;
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;
  ~UdpSocket();

  std::uint16_t port() const { return port_; }
  bool has_v6() const { return v6_.socket.valid(); }
  /// To be watched for reading. -1 for a family that is missing.
  int descriptor(IpAddress::Family family) const;
  /// For policy routing. Needs CAP_NET_ADMIN.
  Result<> set_mark(std::uint32_t mark);

  /// Takes what has arrived in one family, as far as the batch holds it, into the batch;
  /// `datagrams` is cleared first. With offloads the batch's slots need kSlotBytes, as many
  /// datagrams of one sender may come in one of them. False if nothing is left, so call again while
  /// true.
  static constexpr std::size_t kSlotBytes = 65536;
  bool receive(IpAddress::Family family, PacketBatch& batch,
               std::vector<ReceivedDatagram>& datagrams);

  /// Sends from the front of `datagrams`, which may mix families; what cannot be sent is counted.
  /// Cheapest are neighbours of the same destination and size.
  /// Returns how many are done with: fewer than all only when the socket's buffer is full.
  std::size_t send(std::span<const OutgoingDatagram> datagrams);

  /// Where datagrams that may not be fragmented were refused as too long since this was asked last;
  /// each once, and few of many.
  std::vector<PathLimit> take_path_limits();

  const UdpCounters& counters() const { return counters_; }

 private:
  struct Receiving;
  struct Sending;
  struct Family {
    Descriptor socket;
    bool segments = false;  // UDP_SEGMENT may be asked for
    bool joins = false;     // UDP_GRO is on
  };
  UdpSocket();
  Family& of(IpAddress::Family family) { return family == IpAddress::Family::V4 ? v4_ : v6_; }
  const Family& of(IpAddress::Family family) const {
    return family == IpAddress::Family::V4 ? v4_ : v6_;
  }
  static Result<Family> make_family(int family, const Options& options);
  int receive_wave(int descriptor, PacketBatch& batch, std::size_t first, std::size_t count);
  void note_received(std::size_t index, PacketBatch& batch,
                     std::vector<ReceivedDatagram>& datagrams);
  std::size_t prepare(const Family& family, std::span<const OutgoingDatagram> datagrams);
  std::size_t send_prepared(Family& family, std::span<const OutgoingDatagram> datagrams);
  void send_apart(const Family& family, std::span<const OutgoingDatagram> run);
  void refused_as_long(const Family& family, const OutgoingDatagram& datagram);
  std::size_t path_mtu(const Endpoint& to) const;
  void count(int error);

  Family v4_;
  Family v6_;
  std::uint16_t port_ = 0;
  std::uint32_t mark_ = 0;
  UdpCounters counters_;
  std::vector<Endpoint> too_long_for_;
  std::unique_ptr<Receiving> receiving_;
  std::unique_ptr<Sending> sending_;
};

}  // namespace trellis::system
