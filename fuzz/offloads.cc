// Super-packets of the host's stack, and packets of a peer that are joined to some.

#include "base/result.h"
#include "input.h"
#include "protocol/ip/coalesce.h"
#include "protocol/ip/segment.h"

#include <vector>

namespace {

using namespace trellis;

/// The header in front of a packet is the kernel's, but a host may be told lies about it.
void cut(ByteView bytes) {
  ip::OffloadHeader header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto offload = header.offload();
  if (!offload) return;
  ByteVector packet = to_vector(bytes.subspan(sizeof header));
  static_cast<void>(ip::finish_checksum(*offload, packet));
  auto segmenter = ip::Segmenter::create(*offload, packet);
  if (!segmenter) return;
  ByteVector target(segmenter->segment_bytes());
  std::size_t payload = 0;
  std::size_t header_size = segmenter->segment_bytes() - offload->segment_size;
  for (int i = 0; i < 100 && !segmenter->done(); ++i) {
    const std::size_t size = segmenter->next(target);
    CHECK(size > header_size && size <= target.size());
    payload += size - header_size;
  }
  if (segmenter->done()) CHECK(payload + header_size == packet.size());
}

/// Packets, each behind its length. What comes out is as much as went in, and cuts back.
void join(fuzz::Input input) {
  std::vector<ByteVector> packets;
  while (!input.at_end() && packets.size() < 64) {
    packets.push_back(to_vector(input.bytes(input.number() % 2048)));
  }
  const std::vector<ByteVector> before = packets;
  ip::Coalescer coalescer({});
  for (ByteVector& packet : packets) coalescer.add(packet);
  std::size_t out = 0;
  while (const auto output = coalescer.poll()) {
    if (output->parts.size() == 1) {
      ++out;
      continue;
    }
    ByteVector joined;
    for (const ByteView part : output->parts) append(joined, part);
    auto segmenter = ip::Segmenter::create(output->offload, joined);
    CHECK(segmenter);
    ByteVector target(segmenter->segment_bytes());
    for (std::size_t i = 0; i < output->parts.size(); ++i) {
      target.resize(segmenter->segment_bytes());
      target.resize(segmenter->next(target));
      // Only what went in comes out, but for the identification of what may not be fragmented.
      CHECK(std::ranges::any_of(before, [&](const ByteVector& packet) {
        return packet.size() == target.size() &&
               std::equal(packet.begin() + 12, packet.end(), target.begin() + 12);
      }));
      ++out;
    }
    CHECK(segmenter->done());
  }
  CHECK(out == packets.size());
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
