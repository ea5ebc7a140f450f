#include "protocol/ip/offload.h"

namespace trellis::ip {
namespace {

// <linux/virtio_net.h>, whose older versions lack some of them.
constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kNone = 0;
constexpr std::uint8_t kTcpV4 = 1;
constexpr std::uint8_t kTcpV6 = 4;
constexpr std::uint8_t kUdp = 5;
constexpr std::uint8_t kEcn = 0x80;  // CWR stands in the first segment only, as in ours always

std::uint8_t code_of(Segmentation segmentation) {
  switch (segmentation) {
    case Segmentation::None:
      return kNone;
    case Segmentation::TcpV4:
      return kTcpV4;
    case Segmentation::TcpV6:
      return kTcpV6;
    case Segmentation::Udp:
      return kUdp;
  }
  return kNone;
}

std::optional<Segmentation> segmentation_of(std::uint8_t code) {
  switch (code) {
    case kNone:
      return Segmentation::None;
    case kTcpV4:
      return Segmentation::TcpV4;
    case kTcpV6:
      return Segmentation::TcpV6;
    case kUdp:
      return Segmentation::Udp;
    default:
      return std::nullopt;
  }
}

}  // namespace

OffloadHeader OffloadHeader::of(const Offload& offload) {
  OffloadHeader header;
  header.flags = offload.needs_checksum ? kNeedsChecksum : std::uint8_t{0};
  header.segmentation = code_of(offload.segmentation);
  header.header_size = offload.header_size;
  header.segment_size = offload.segment_size;
  header.checksum_start = offload.checksum_start;
  header.checksum_offset = offload.checksum_offset;
  return header;
}

std::optional<Offload> OffloadHeader::offload() const {
  const auto kind = segmentation_of(static_cast<std::uint8_t>(segmentation & ~kEcn));
  if (!kind) return std::nullopt;
  return Offload{.segmentation = *kind,
                 .needs_checksum = (flags & kNeedsChecksum) != 0,
                 .header_size = header_size,
                 .segment_size = segment_size,
                 .checksum_start = checksum_start,
                 .checksum_offset = checksum_offset};
}

}  // namespace trellis::ip
