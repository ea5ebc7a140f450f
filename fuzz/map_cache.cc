// A map as an agent kept it, from a disk that may have lost some of it.

#include "input.h"
#include "netmap_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  const auto map =
      netmap::parse_map(fuzz::text_of(std::as_bytes(std::span(data, size))), fuzz::own_key());
  if (map) {
    fuzz::check_map(*map);
  } else {
    CHECK(!map.error().message.empty());
  }
  return 0;
}
