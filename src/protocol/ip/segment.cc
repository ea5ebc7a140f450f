#include "protocol/ip/segment.h"

#include "protocol/ip/checksum.h"

#include <algorithm>

namespace trellis::ip {
namespace {

constexpr std::size_t kV4HeaderMin = 20;
constexpr std::size_t kV6Header = 40;
constexpr std::size_t kTcpHeaderMin = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kTcpChecksum = 16;  // offsets in their headers
constexpr std::size_t kUdpChecksum = 6;
constexpr std::size_t kTcpFlags = 13;
constexpr std::byte kFinAndPsh{0x09};
constexpr std::byte kCwr{0x80};

unsigned version_of(ByteView packet) {
  return packet.empty() ? 0 : std::to_integer<unsigned>(packet[0]) >> 4;
}

template <class T>
T read(ByteView bytes, std::size_t offset) {
  return Reader(bytes.subspan(offset)).read<T>();
}

template <WireLayout T>
void write(MutableByteView bytes, std::size_t offset, const T& value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

bool fits_version(Segmentation segmentation, unsigned version) {
  switch (segmentation) {
    case Segmentation::None:
      return false;
    case Segmentation::TcpV4:
      return version == 4;
    case Segmentation::TcpV6:
      return version == 6;
    case Segmentation::Udp:
      return version == 4 || version == 6;
  }
  return false;
}

}  // namespace

Expected<Segmenter, SegmentError> Segmenter::create(const Offload& offload, ByteView packet) {
  const unsigned version = version_of(packet);
  if (!fits_version(offload.segmentation, version) || !offload.needs_checksum ||
      offload.segment_size == 0) {
    return fail(SegmentError::NotSegmentable);
  }
  Segmenter result;
  result.packet_ = packet;
  result.tcp_ = offload.segmentation != Segmentation::Udp;
  if (offload.checksum_offset != (result.tcp_ ? kTcpChecksum : kUdpChecksum)) {
    return fail(SegmentError::NotSegmentable);
  }
  // Extension headers of IPv6 are copied as they are.
  const std::size_t transport = offload.checksum_start;
  const std::size_t transport_min = result.tcp_ ? kTcpHeaderMin : kUdpHeader;
  if (transport < (version == 4 ? kV4HeaderMin : kV6Header) ||
      packet.size() < transport + transport_min) {
    return fail(SegmentError::WrongLength);
  }
  const std::size_t transport_size =
      result.tcp_ ? (std::to_integer<std::size_t>(packet[transport + 12]) >> 4) * 4 : kUdpHeader;
  result.header_size_ = transport + transport_size;
  const bool has_options_of_v4 =
      version == 4 && (std::to_integer<std::size_t>(packet[0]) & 0x0f) * 4 != transport;
  if (transport_size < transport_min || has_options_of_v4 || packet.size() <= result.header_size_ ||
      result.header_size_ + offload.segment_size > 0xffff) {
    return fail(SegmentError::WrongLength);
  }
  result.transport_ = transport;
  result.segment_size_ = offload.segment_size;
  result.checksum_at_ = transport + offload.checksum_offset;
  result.pseudo_sum_ = read<be16>(packet, result.checksum_at_);
  result.offset_ = result.header_size_;
  return result;
}

std::size_t Segmenter::next(MutableByteView target) {
  CHECK(!done());
  const std::size_t payload = std::min(segment_size_, packet_.size() - offset_);
  const bool last = offset_ + payload == packet_.size();
  CHECK(target.size() >= header_size_ + payload);
  const MutableByteView segment = target.first(header_size_ + payload);
  std::memcpy(segment.data(), packet_.data(), header_size_);
  std::memcpy(segment.data() + header_size_, packet_.data() + offset_, payload);
  write_ip(segment);
  if (tcp_) {
    write_tcp(segment, last);
  } else {
    write(segment, transport_ + 4, be16(static_cast<std::uint16_t>(segment.size() - transport_)));
  }
  write_checksum(segment);
  offset_ += payload;
  ++index_;
  return segment.size();
}

void Segmenter::write_ip(MutableByteView segment) const {
  if (version_of(segment) == 6) {
    write(segment, 4, be16(static_cast<std::uint16_t>(segment.size() - kV6Header)));
    return;
  }
  write(segment, 2, be16(static_cast<std::uint16_t>(segment.size())));
  write(segment, 4, be16(static_cast<std::uint16_t>(read<be16>(segment, 4) + index_)));
  write(segment, 10, be16(0));
  write(segment, 10, be16(InternetSum().add(segment.first(transport_)).checksum()));
}

void Segmenter::write_tcp(MutableByteView segment, bool last) const {
  const auto before = static_cast<std::uint32_t>(offset_ - header_size_);
  write(segment, transport_ + 4, be32(read<be32>(segment, transport_ + 4) + before));
  std::byte& flags = segment[transport_ + kTcpFlags];
  if (!last) flags &= ~kFinAndPsh;
  if (before != 0) flags &= ~kCwr;
}

void Segmenter::write_checksum(MutableByteView segment) const {
  // The sum of the pseudo-header says the length of the whole: take that out, put ours in.
  const auto whole = static_cast<std::uint16_t>(packet_.size() - transport_);
  const auto own = static_cast<std::uint16_t>(segment.size() - transport_);
  write(segment, checksum_at_, be16(0));
  InternetSum sum;
  sum.add(pseudo_sum_).add(static_cast<std::uint16_t>(~whole)).add(own);
  std::uint16_t checksum = sum.add(segment.subspan(transport_)).checksum();
  if (!tcp_ && checksum == 0) checksum = 0xffff;  // zero would say that there is none
  write(segment, checksum_at_, be16(checksum));
}

Expected<void, SegmentError> finish_checksum(const Offload& offload, MutableByteView packet) {
  if (!offload.needs_checksum) return {};
  const std::size_t at = std::size_t{offload.checksum_start} + offload.checksum_offset;
  if (at + sizeof(be16) > packet.size()) return fail(SegmentError::WrongLength);
  // The sum of the pseudo-header lies in the field already.
  const std::uint16_t checksum =
      InternetSum().add(packet.subspan(offload.checksum_start)).checksum();
  write(packet, at, be16(checksum == 0 ? std::uint16_t{0xffff} : checksum));
  return {};
}

}  // namespace trellis::ip
