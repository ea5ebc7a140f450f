#include "protocol/ip/coalesce.h"

#include "base/result.h"
#include "protocol/ip/checksum.h"

#include <algorithm>

namespace trellis::ip {
namespace {

constexpr std::size_t kV4Header = 20;  // with options nothing is joined
constexpr std::size_t kV6Header = 40;
constexpr std::size_t kTcpHeaderMin = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::size_t kPacketBytesMax = 65535;
constexpr std::uint32_t kSegmentsMax = 64;  // UDP_MAX_SEGMENTS of older kernels

constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kPsh = 0x08;
constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kEce = 0x40;

std::uint8_t byte_at(ByteView packet, std::size_t offset) {
  return std::to_integer<std::uint8_t>(packet[offset]);
}

template <class T>
T read(ByteView packet, std::size_t offset) {
  T value;
  std::memcpy(&value, packet.data() + offset, sizeof value);
  return value;
}

template <WireLayout T>
void write(MutableByteView packet, std::size_t offset, const T& value) {
  std::memcpy(packet.data() + offset, &value, sizeof value);
}

bool equal_at(ByteView a, ByteView b, std::size_t offset, std::size_t size) {
  return std::memcmp(a.data() + offset, b.data() + offset, size) == 0;
}

/// Of addresses and ports, which stand side by side in packets without options.
std::uint32_t flow_hash(ByteView addresses_and_ports) {
  std::uint64_t hash = addresses_and_ports.size();
  for (std::size_t i = 0; i + 4 <= addresses_and_ports.size(); i += 4) {
    hash = (hash ^ read<std::uint32_t>(addresses_and_ports, i)) * 0x9e37'79b9'7f4a'7c15U;
    hash ^= hash >> 29;
  }
  return static_cast<std::uint32_t>(hash >> 32);
}

ByteView flow_of(ByteView packet, std::size_t ip_size) {
  return ip_size == kV4Header ? packet.subspan(12, 12) : packet.subspan(8, 36);
}

}  // namespace

// ---- what a packet looks like ----------------------------------------------------------------

std::optional<Coalescer::Shape> Coalescer::shape_of(ByteView packet) {
  if (packet.size() < kV4Header + kUdpHeader || packet.size() > kPacketBytesMax) {
    return std::nullopt;
  }
  if (byte_at(packet, 0) == 0x45) {
    constexpr std::uint16_t kFragmented = 0xbfff;  // all but "don't fragment"
    if (read<be16>(packet, 2) != packet.size() || (read<be16>(packet, 6) & kFragmented) != 0) {
      return std::nullopt;
    }
    if (byte_at(packet, 9) == kTcp) return shape_of_tcp(packet, Kind::TcpV4, kV4Header);
    if (byte_at(packet, 9) == kUdp) return shape_of_udp(packet, Kind::UdpV4, kV4Header);
    return std::nullopt;
  }
  if (byte_at(packet, 0) >> 4 != 6 || packet.size() < kV6Header + kUdpHeader ||
      read<be16>(packet, 4) + kV6Header != packet.size()) {
    return std::nullopt;
  }
  if (byte_at(packet, 6) == kTcp) return shape_of_tcp(packet, Kind::TcpV6, kV6Header);
  if (byte_at(packet, 6) == kUdp) return shape_of_udp(packet, Kind::UdpV6, kV6Header);
  return std::nullopt;
}

std::optional<Coalescer::Shape> Coalescer::shape_of_tcp(ByteView packet, Kind kind,
                                                        std::size_t ip_size) {
  if (packet.size() < ip_size + kTcpHeaderMin) return std::nullopt;
  const std::size_t tcp_size = std::size_t{byte_at(packet, ip_size + 12)} / 16 * 4;
  if (tcp_size < kTcpHeaderMin || packet.size() < ip_size + tcp_size) return std::nullopt;
  const std::uint8_t flags = byte_at(packet, ip_size + 13);
  const std::size_t payload = packet.size() - ip_size - tcp_size;
  const bool plain = (flags & kAck) != 0 && (flags & ~(kAck | kPsh | kFin | kEce)) == 0;
  // Another way to say 0, which comes out as 0 where a super-packet is cut.
  const bool odd_zero = read<be16>(packet, ip_size + 16) == 0xffff;
  return Shape{.kind = kind,
               .joins = plain && payload > 0 && !odd_zero,
               .ends = (flags & (kPsh | kFin)) != 0,
               .ip_size = static_cast<std::uint8_t>(ip_size),
               .header_size = static_cast<std::uint8_t>(ip_size + tcp_size),
               .payload_size = static_cast<std::uint16_t>(payload),
               .flow = flow_hash(flow_of(packet, ip_size))};
}

std::optional<Coalescer::Shape> Coalescer::shape_of_udp(ByteView packet, Kind kind,
                                                        std::size_t ip_size) {
  if (read<be16>(packet, ip_size + 4) != packet.size() - ip_size) return std::nullopt;
  const std::size_t payload = packet.size() - ip_size - kUdpHeader;
  const bool has_checksum = read<be16>(packet, ip_size + 6) != 0;
  return Shape{.kind = kind,
               .joins = has_checksum && payload > 0,
               .ends = false,
               .ip_size = static_cast<std::uint8_t>(ip_size),
               .header_size = static_cast<std::uint8_t>(ip_size + kUdpHeader),
               .payload_size = static_cast<std::uint16_t>(payload),
               .flow = flow_hash(flow_of(packet, ip_size))};
}

bool Coalescer::checksums_fit(ByteView packet, const Shape& shape) {
  if (shape.ip_size == kV4Header && InternetSum().add(packet.first(kV4Header)).folded() != 0xffff) {
    return false;
  }
  const bool tcp = shape.kind == Kind::TcpV4 || shape.kind == Kind::TcpV6;
  const ByteView transport = packet.subspan(shape.ip_size);
  return pseudo_header_sum(packet, tcp ? kTcp : kUdp, transport.size()).add(transport).folded() ==
         0xffff;
}

// ---- joining ---------------------------------------------------------------------------------

void Coalescer::add(MutableByteView packet) {
  const auto shape = shape_of(packet);
  if (!shape) {
    close_all();  // a fragment, say: of whichever flow it is, it stays where it is
    begin(packet, std::nullopt);
    return;
  }
  if (Group* const group = open_group_of(packet, *shape)) {
    if (append(*group, packet, *shape)) return;
    group->open = false;
  }
  begin(packet, shape);
}

Coalescer::Group* Coalescer::open_group_of(ByteView packet, const Shape& shape) {
  for (std::size_t i = 0; i < open_count_; ++i) {
    Group& group = groups_[open_[i]];
    if (!group.open || group.shape.flow != shape.flow || group.shape.kind != shape.kind) continue;
    const ByteView first = entries_[group.first].packet;
    if (std::ranges::equal(flow_of(first, shape.ip_size), flow_of(packet, shape.ip_size))) {
      return &group;
    }
  }
  return nullptr;
}

bool Coalescer::fits_behind(const Group& group, ByteView packet, const Shape& shape) const {
  const ByteView first = entries_[group.first].packet;
  const std::size_t ip = shape.ip_size;
  if (shape.header_size != group.shape.header_size ||
      shape.payload_size > group.shape.payload_size || group.packets == kSegmentsMax ||
      shape.header_size + group.payload_bytes + shape.payload_size > kPacketBytesMax) {
    return false;
  }
  if (ip == kV4Header) {
    // Type of service, "don't fragment", time to live.
    if (!equal_at(first, packet, 1, 1) || !equal_at(first, packet, 6, 3)) return false;
    const bool may_be_fragmented = (byte_at(packet, 6) & 0x40) == 0;
    if (may_be_fragmented &&
        read<be16>(packet, 4) != static_cast<std::uint16_t>(read<be16>(first, 4) + group.packets)) {
      return false;
    }
  } else if (!equal_at(first, packet, 0, 4) || !equal_at(first, packet, 7, 1)) {
    return false;  // traffic class, flow label; hop limit
  }
  if (shape.kind == Kind::UdpV4 || shape.kind == Kind::UdpV6) return true;
  constexpr auto kMayDiffer = static_cast<std::uint8_t>(kFin | kPsh);
  const auto different = byte_at(first, ip + 13) ^ byte_at(packet, ip + 13);
  return read<be32>(packet, ip + 4) == read<be32>(first, ip + 4) + group.payload_bytes &&
         equal_at(first, packet, ip + 8, 5) &&  // acknowledgment, size of the header, AE
         (different & ~kMayDiffer) == 0 && equal_at(first, packet, ip + 14, 2) &&  // window
         equal_at(first, packet, ip + 18, shape.header_size - ip - 18);  // urgent pointer, options
}

bool Coalescer::append(Group& group, MutableByteView packet, const Shape& shape) {
  if (!shape.joins || !fits_behind(group, packet, shape)) return false;
  if (!group.verified) {
    if (!checksums_fit(entries_[group.first].packet, group.shape)) return false;
    group.verified = true;
  }
  if (!checksums_fit(packet, shape)) return false;
  const auto index = static_cast<std::uint32_t>(entries_.size());
  entries_.push_back({packet});
  entries_[group.last].next = index;
  group.last = index;
  ++group.packets;
  group.payload_bytes += shape.payload_size;
  group.open = !shape.ends && shape.payload_size == group.shape.payload_size;
  return true;
}

void Coalescer::begin(MutableByteView packet, const std::optional<Shape>& shape) {
  Group group;
  group.first = group.last = static_cast<std::uint32_t>(entries_.size());
  entries_.push_back({packet});
  if (shape) {
    const bool tcp = shape->kind == Kind::TcpV4 || shape->kind == Kind::TcpV6;
    group.shape = *shape;
    group.payload_bytes = shape->payload_size;
    group.open = shape->joins && !shape->ends && (tcp ? features_.tcp : features_.udp);
  }
  groups_.push_back(group);
  if (!group.open) return;
  const auto index = static_cast<std::uint32_t>(groups_.size() - 1);
  for (std::size_t i = 0; i < open_count_; ++i) {
    if (groups_[open_[i]].open) continue;
    open_[i] = index;
    return;
  }
  if (open_count_ < kOpenMax) {
    open_[open_count_++] = index;
    return;
  }
  groups_[open_[index % kOpenMax]].open = false;
  open_[index % kOpenMax] = index;
}

void Coalescer::close_all() {
  for (std::size_t i = 0; i < open_count_; ++i) groups_[open_[i]].open = false;
  open_count_ = 0;
}

// ---- taking out ------------------------------------------------------------------------------

std::optional<Coalescer::Output> Coalescer::poll() {
  if (polled_ == groups_.size()) return std::nullopt;
  const Group& group = groups_[polled_++];
  parts_.clear();
  if (group.packets == 1) {
    parts_.push_back(entries_[group.first].packet);
    return Output{{}, parts_};
  }
  const Offload offload = make_headers(group);
  parts_.push_back(entries_[group.first].packet);
  for (std::uint32_t i = entries_[group.first].next; i != 0; i = entries_[i].next) {
    parts_.push_back(entries_[i].packet.subspan(group.shape.header_size));
  }
  return Output{offload, parts_};
}

/// Makes the headers of the first packet those of the whole.
Offload Coalescer::make_headers(const Group& group) {
  const MutableByteView packet = entries_[group.first].packet;
  const Shape& shape = group.shape;
  const bool tcp = shape.kind == Kind::TcpV4 || shape.kind == Kind::TcpV6;
  const std::size_t ip = shape.ip_size;
  const std::size_t size = shape.header_size + group.payload_bytes;
  if (ip == kV4Header) {
    write(packet, 2, be16(static_cast<std::uint16_t>(size)));
    write(packet, 10, be16(0));
    write(packet, 10, be16(InternetSum().add(packet.first(kV4Header)).checksum()));
  } else {
    write(packet, 4, be16(static_cast<std::uint16_t>(size - kV6Header)));
  }
  if (tcp) {
    packet[ip + 13] |= entries_[group.last].packet[ip + 13];  // FIN and PSH of the last one
  } else {
    write(packet, ip + 4, be16(static_cast<std::uint16_t>(size - ip)));
  }
  const std::size_t checksum_offset = tcp ? 16 : 6;
  write(packet, ip + checksum_offset,
        be16(pseudo_header_sum(packet, tcp ? kTcp : kUdp, size - ip).folded()));
  Segmentation segmentation = Segmentation::Udp;
  if (tcp) segmentation = ip == kV4Header ? Segmentation::TcpV4 : Segmentation::TcpV6;
  return {.segmentation = segmentation,
          .needs_checksum = true,
          .header_size = shape.header_size,
          .segment_size = shape.payload_size,
          .checksum_start = static_cast<std::uint16_t>(ip),
          .checksum_offset = static_cast<std::uint16_t>(checksum_offset)};
}

void Coalescer::clear() {
  entries_.clear();
  groups_.clear();
  open_count_ = 0;
  polled_ = 0;
}

void Coalescer::restart(Features features) {
  clear();
  features_ = features;
}

}  // namespace trellis::ip
