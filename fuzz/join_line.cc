// What somebody pasted for the address of a server. What is accepted is written and read again the
// same; what is not is answered in printable words.

#include "protocol/control/join_line.h"

#include "base/address.h"
#include "input.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  const auto line = control::JoinLine::parse(fuzz::text_of(std::as_bytes(std::span(data, size))));
  if (!line) {
    CHECK(std::ranges::all_of(line.error().message, [](char c) { return c >= ' ' && c < 0x7f; }));
    return 0;
  }
  CHECK(line->port != 0);
  CHECK(IpAddress::parse(line->host) || control::is_host_name(line->host));
  CHECK(control::JoinLine::parse(line->to_string()) == *line);
  return 0;
}
