// Super-packets of the host's stack, and packets of a peer that are joined to some: beside a slow
// reference that does it byte by byte.

#include "base/result.h"
#include "input.h"
#include "protocol/ip/checksum.h"
#include "protocol/ip/coalesce.h"
#include "protocol/ip/header.h"
#include "protocol/ip/segment.h"

#include <cstring>
#include <map>
#include <vector>

namespace {

using namespace trellis;

// ---- the reference ---------------------------------------------------------------------------

std::uint32_t be_at(ByteView bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

void put_be(ByteVector& bytes, std::size_t at, std::size_t size, std::uint32_t value) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
  }
}

/// Word by word, folded after each. [RFC 1071 1]
std::uint32_t slow_sum(ByteView bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = std::to_integer<std::uint32_t>(bytes[i]);
    sum += i % 2 == 0 ? byte << 8 : byte;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

/// The segment whose payload begins at `offset`, as the stack would have sent it.
ByteVector slow_segment(const ip::Offload& offload, ByteView packet, std::size_t header,
                        std::size_t offset) {
  const std::size_t transport = offload.checksum_start;
  const bool tcp = offload.segmentation != ip::Segmentation::Udp;
  const bool v4 = std::to_integer<unsigned>(packet[0]) >> 4 == 4;
  const std::size_t end = std::min(offset + offload.segment_size, packet.size());
  const auto number = static_cast<std::uint32_t>((offset - header) / offload.segment_size);
  ByteVector result = to_vector(packet.first(header));
  append(result, packet.subspan(offset, end - offset));
  const auto size = static_cast<std::uint32_t>(result.size());
  const auto length = static_cast<std::uint32_t>(size - transport);
  if (v4) {
    put_be(result, 2, 2, size);
    put_be(result, 4, 2, be_at(packet, 4, 2) + number);
    put_be(result, 10, 2, 0);
    put_be(result, 10, 2, ~slow_sum(ByteView(result).first(transport)));
  } else {
    put_be(result, 4, 2, size - 40);
  }
  if (tcp) {
    put_be(result, transport + 4, 4,
           be_at(packet, transport + 4, 4) + static_cast<std::uint32_t>(offset - header));
    if (end != packet.size()) result[transport + 13] &= std::byte{0xf6};  // FIN, PSH: the last
    if (offset != header) result[transport + 13] &= std::byte{0x7f};      // CWR: the first
  } else {
    put_be(result, transport + 4, 2, length);
  }
  // What lies in the field is the sum of the pseudo-header, with the length of the whole.
  const std::size_t field = transport + offload.checksum_offset;
  const auto whole = static_cast<std::uint32_t>(packet.size() - transport) & 0xffff;
  std::uint32_t sum = be_at(packet, field, 2) + (~whole & 0xffff) + length;
  sum = (sum & 0xffff) + (sum >> 16);
  put_be(result, field, 2, 0);
  std::uint32_t checksum = ~slow_sum(ByteView(result).subspan(transport), sum) & 0xffff;
  if (!tcp && checksum == 0) checksum = 0xffff;
  put_be(result, field, 2, checksum);
  return result;
}

// ---- cutting ---------------------------------------------------------------------------------

/// Zero is written in two ways; as a checksum both are right.
bool same_sum(std::uint32_t a, std::uint32_t b) { return a % 0xffff == b % 0xffff; }

void check_sums(ByteView bytes) {
  CHECK(same_sum(ip::InternetSum().add(bytes).folded(), slow_sum(bytes)));
  const std::size_t middle = bytes.size() / 4 * 2;  // only the last part may be of odd size
  CHECK(same_sum(ip::InternetSum().add(bytes.first(middle)).add(bytes.subspan(middle)).folded(),
                 slow_sum(bytes)));
}

/// Cuts it all and compares; the segments come back.
std::vector<ByteVector> cut_like_the_reference(const ip::Offload& offload, ByteView packet,
                                               ip::Segmenter& segmenter, std::size_t most) {
  const std::size_t header = segmenter.segment_bytes() - offload.segment_size;
  std::vector<ByteVector> result;
  std::size_t offset = header;
  while (!segmenter.done() && result.size() < most) {
    ByteVector segment(segmenter.segment_bytes());
    segment.resize(segmenter.next(segment));
    CHECK(segment == slow_segment(offload, packet, header, offset));
    offset += segment.size() - header;
    result.push_back(std::move(segment));
  }
  CHECK(segmenter.done() == (offset == packet.size()));
  return result;
}

/// The header in front of a packet is the kernel's, but a host may be told lies about it.
void cut(ByteView bytes) {
  ip::OffloadHeader header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto offload = header.offload();
  if (!offload) return;
  const ByteVector before = to_vector(bytes.subspan(sizeof header));
  check_sums(before);
  if (auto segmenter = ip::Segmenter::create(*offload, before)) {
    cut_like_the_reference(*offload, before, *segmenter, 100);
  }
  ByteVector finished = before;
  if (!ip::finish_checksum(*offload, finished) || !offload->needs_checksum) {
    CHECK(finished == before);
    return;
  }
  ByteVector expected = before;
  const std::uint32_t checksum =
      ~slow_sum(ByteView(before).subspan(offload->checksum_start)) & 0xffff;
  put_be(expected, std::size_t{offload->checksum_start} + offload->checksum_offset, 2,
         checksum == 0 ? 0xffff : checksum);
  CHECK(finished == expected);
}

// ---- joining ---------------------------------------------------------------------------------

/// What packets of one flow have in common; empty for what belongs to none.
ByteVector flow_of(const ByteVector& packet) {
  const auto header = ip::parse(packet);
  if (!header || (header->protocol != 6 && header->protocol != 17)) return {};
  const std::size_t ip_size = header->source.is_v4() ? 20 : 40;
  const bool plain = header->source.is_v6() ||
                     (packet[0] == std::byte{0x45} && (be_at(packet, 6, 2) & 0x3fff) == 0);
  if (!plain || packet.size() < ip_size + 4) return {};
  ByteVector result = to_vector(header->source.bytes());
  append(result, header->destination.bytes());
  result.push_back(std::byte{header->protocol});
  append(result, ByteView(packet).subspan(ip_size, 4));
  return result;
}

/// Nothing of it was changed but the identification of what may not be fragmented.
void expect_same(const ByteVector& segment, const ByteVector& before) {
  ByteVector expected = before;
  const bool v4 = std::to_integer<unsigned>(before[0]) >> 4 == 4;
  if (v4 && (before[6] & std::byte{0x40}) != std::byte{}) {
    expected[4] = segment[4];
    expected[5] = segment[5];
    put_be(expected, 10, 2, 0);
    put_be(expected, 10, 2, ~slow_sum(ByteView(expected).first(20)));
  }
  CHECK(segment == expected);
}

/// Packets, each behind its length. What comes out is as much as went in, cuts back into it, and
/// keeps the order of each flow.
void join(fuzz::Input input) {
  std::vector<ByteVector> packets;
  while (!input.at_end() && packets.size() < 64) {
    packets.push_back(to_vector(input.bytes(input.number() % 2048)));
  }
  const std::vector<ByteVector> before = packets;
  const auto index_of = [&](ByteView part) {
    const auto it = std::ranges::find_if(packets, [&](const ByteVector& packet) {
      return part.data() >= packet.data() && part.data() < packet.data() + packet.size();
    });
    CHECK(it != packets.end());
    return static_cast<std::size_t>(it - packets.begin());
  };
  ip::Coalescer coalescer({});
  for (ByteVector& packet : packets) coalescer.add(packet);
  std::vector<std::size_t> seen(packets.size());
  std::map<ByteVector, std::size_t> latest;
  const auto note = [&](std::size_t index) {
    CHECK(seen[index]++ == 0);
    const ByteVector flow = flow_of(before[index]);
    if (flow.empty()) return;
    const auto [it, is_new] = latest.try_emplace(flow, index);
    CHECK(is_new || it->second < index);
    it->second = index;
  };
  std::size_t empty_ones = 0;
  while (const auto output = coalescer.poll()) {
    if (output->parts.size() == 1) {
      const ByteView part = output->parts[0];
      if (part.empty()) {
        ++empty_ones;
        continue;
      }
      const std::size_t index = index_of(part);
      note(index);
      CHECK(std::ranges::equal(part, before[index]));
      continue;
    }
    ByteVector joined;
    for (const ByteView part : output->parts) append(joined, part);
    auto segmenter = ip::Segmenter::create(output->offload, joined);
    CHECK(segmenter);
    const auto segments =
        cut_like_the_reference(output->offload, joined, *segmenter, output->parts.size());
    CHECK(segmenter->done() && segments.size() == output->parts.size());
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::size_t index = index_of(output->parts[i]);
      note(index);
      expect_same(segments[i], before[index]);
    }
  }
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (before[i].empty()) {
      CHECK(empty_ones-- > 0);
    } else {
      CHECK(seen[i] == 1);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if (input.byte() % 2 == 0) {
    cut(input.rest());
  } else {
    join(input);
  }
  return 0;
}
