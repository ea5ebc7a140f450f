// The state file: what an agent reads back of itself, from a disk that may have lost some of it.

#include "input.h"
#include "node/agent/state.h"
#include "node/pair/timestamps.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  const auto state = agent::parse_state(fuzz::text_of(std::as_bytes(std::span(data, size))));
  if (!state) {
    CHECK(!state.error().message.empty());
    return 0;
  }
  const std::string text = agent::format_state(*state);
  const auto again = agent::parse_state(text);
  CHECK(again && agent::format_state(*again) == text);
  CHECK(again->timestamps_reserved == state->timestamps_reserved);

  // It can be gone on from.
  pair::Timestamps timestamps(state->timestamps_reserved);
  const wireguard::Tai64n first = timestamps.next();
  CHECK(first < timestamps.next() && timestamps.reserved() > state->timestamps_reserved);
  return 0;
}
