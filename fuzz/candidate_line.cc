// Candidate lines and credentials, as offers of peers carry them.

#include "base/result.h"
#include "input.h"
#include "protocol/ice/candidate.h"
#include "protocol/ice/credentials.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  const std::string_view text = fuzz::text_of(std::as_bytes(std::span(data, size)));
  if (const auto candidate = ice::parse_candidate(text)) {
    // What a line says is said again by ours, and no line of ours is refused.
    CHECK(ice::parse_candidate(candidate->to_string()) == candidate);
  }
  if (const auto credentials = ice::parse_credentials(text)) {
    CHECK(credentials->to_string() == text);
  }
  return 0;
}
