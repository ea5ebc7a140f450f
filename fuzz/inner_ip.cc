// An inner IP packet, as it comes out of a tunnel or from the host itself.

#include "base/result.h"
#include "input.h"
#include "protocol/ip/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  const ByteView packet = std::as_bytes(std::span(data, size));
  const auto header = ip::parse(packet);
  if (!header) return 0;
  CHECK(header->total_length <= packet.size());
  CHECK(header->total_length >= (header->source.is_v4() ? 20 : 40));
  CHECK(header->source.family() == header->destination.family());
  // What a router would cut off changes nothing.
  const auto again = ip::parse(packet.first(header->total_length));
  CHECK(again && again->source == header->source && again->destination == header->destination);
  return 0;
}
