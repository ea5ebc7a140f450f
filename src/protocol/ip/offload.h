#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <optional>

namespace trellis::ip {

/// Into what a super-packet is to be cut.
enum class Segmentation : std::uint8_t { None, TcpV4, TcpV6, Udp };

/// What a stack has left undone in a packet that it hands to a device: cutting it into packets
/// that fit the path, finishing the checksum. [virtio 1.2, 5.1.6]
struct Offload {
  Segmentation segmentation = Segmentation::None;
  bool needs_checksum = false;
  std::uint16_t header_size = 0;      // a hint: of all headers up to the payload; 0 if unknown
  std::uint16_t segment_size = 0;     // payload bytes of each segment but the last
  std::uint16_t checksum_start = 0;   // sum from here to the end ...
  std::uint16_t checksum_offset = 0;  // ... goes here, counted from checksum_start, where the sum
                                      // of the pseudo-header lies now

  friend bool operator==(const Offload&, const Offload&) = default;
};

/// The form in which a TUN device carries it in front of each packet: struct virtio_net_hdr, ten
/// bytes in the order of the host.
struct OffloadHeader {
  using Word = WireInteger<std::uint16_t, std::endian::native>;
  std::uint8_t flags = 0;
  std::uint8_t segmentation = 0;
  Word header_size;
  Word segment_size;
  Word checksum_start;
  Word checksum_offset;

  static OffloadHeader of(const Offload& offload);
  /// Nothing for a kind of segmentation that we have not asked for.
  std::optional<Offload> offload() const;
};
static_assert(WireLayout<OffloadHeader> && sizeof(OffloadHeader) == 10);

}  // namespace trellis::ip
