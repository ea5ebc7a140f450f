// An inner IP packet, as it comes out of a tunnel or from the host itself.

#include "base/result.h"
#include "input.h"
#include "protocol/ip/ecn.h"
#include "protocol/ip/header.h"
#include "protocol/ip/too_big.h"

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

  // What its carrier met changes two bits, and twice is once.
  ByteVector told = to_vector(packet);
  ip::note_outer_traffic_class(ip::kCongestionExperienced, told);
  const std::uint8_t before = ip::traffic_class(packet);
  const bool capable = (before & ip::kEcnMask) != 0;
  CHECK(ip::traffic_class(told) == (capable ? before | ip::kCongestionExperienced : before));
  const ByteVector once = told;
  ip::note_outer_traffic_class(ip::kCongestionExperienced, told);
  CHECK(told == once);

  // An answer goes back to where it came from, and is not answered.
  const auto answer = ip::too_big(packet, 1300);
  if (!answer) return 0;
  CHECK(answer->size() <= 1280);
  const auto back = ip::parse(*answer);
  CHECK(back && back->total_length == answer->size());
  CHECK(back->source == header->destination && back->destination == header->source);
  CHECK(!ip::too_big(*answer, 1300));
  return 0;
}
