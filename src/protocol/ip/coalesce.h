#pragma once

#include "base/bytes.h"
#include "protocol/ip/offload.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace trellis::ip {

/// Joins packets of the same flow to super-packets, which cost a stack hardly more than one packet
/// each. What goes in comes out, in the order of each flow: cutting a super-packet yields the
/// packets that it was made of (but for the identification of IPv4 packets that may not be
/// fragmented, which means nothing [RFC 6864 4.1]).
///
/// Joined are neighbours in a flow of TCP (with the same acknowledgment, window, options, and
/// sequence numbers without a gap) or UDP, of equal size but for the last one, whose checksums are
/// right: the super-packet says to the stack that they are. Nothing waits: the owner adds what has
/// arrived, and takes all out again.
class Coalescer {
 public:
  struct Features {
    bool tcp = true;
    bool udp = true;
  };
  explicit Coalescer(Features features) : features_(features) {}

  /// `packet` is a whole IP packet and nothing else. It must stay where it is until `clear` or
  /// `restart`; its headers may be changed by `poll`.
  void add(MutableByteView packet);

  /// A packet, or a super-packet in parts: the first with all headers, then payloads only.
  struct Output {
    Offload offload;
    std::span<const ByteView> parts;  // until the next call
  };
  /// To be called until it yields nothing, after the last `add`.
  std::optional<Output> poll();

  /// Forgets everything.
  void clear();
  void restart(Features features);

 private:
  enum class Kind : std::uint8_t { TcpV4, TcpV6, UdpV4, UdpV6 };
  /// What a packet that may be joined looks like.
  struct Shape {
    Kind kind;
    bool joins;  // may be part of a super-packet; if not, it ends that of its flow
    bool ends;   // nothing may follow it in its super-packet
    std::uint8_t ip_size;
    std::uint8_t header_size;
    std::uint16_t payload_size;
    std::uint32_t flow;  // a hash
  };
  struct Group {
    Shape shape;  // of the first packet
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t packets = 1;
    std::uint32_t payload_bytes = 0;
    bool open = false;
    bool verified = false;
  };
  struct Entry {
    MutableByteView packet;
    std::uint32_t next = 0;  // of its group; 0: none
  };

  static std::optional<Shape> shape_of(ByteView packet);
  static std::optional<Shape> shape_of_tcp(ByteView packet, Kind kind, std::size_t ip_size);
  static std::optional<Shape> shape_of_udp(ByteView packet, Kind kind, std::size_t ip_size);
  static bool checksums_fit(ByteView packet, const Shape& shape);
  Group* open_group_of(ByteView packet, const Shape& shape);
  bool fits_behind(const Group& group, ByteView packet, const Shape& shape) const;
  bool append(Group& group, MutableByteView packet, const Shape& shape);
  void begin(MutableByteView packet, const std::optional<Shape>& shape);
  void close_all();
  Offload make_headers(const Group& group);

  static constexpr std::size_t kOpenMax = 16;

  Features features_;
  std::vector<Entry> entries_;  // these keep their memory
  std::vector<Group> groups_;   //
  std::vector<ByteView> parts_;
  std::array<std::uint32_t, kOpenMax> open_{};  // a ring of groups that may be open
  std::size_t open_count_ = 0;
  std::size_t polled_ = 0;
};

}  // namespace trellis::ip
