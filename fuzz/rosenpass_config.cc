// Configurations of trellis-rosenpass, and the words of its `exchange`: what is read can be written
// and is then read as the same.

#include "apps/rosenpass/config.h"
#include "input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  using namespace trellis::rosenpass_program;
  const std::string_view text = fuzz::text_of(std::as_bytes(std::span(data, size)));
  if (const auto parsed = parse_config(text)) {
    const auto again = parse_config(to_toml(parsed->config));
    CHECK(again && again->config == parsed->config);
  }
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c != ' ' && c != '\n') {
      words.back() += c;
    } else if (words.size() < 256) {
      words.emplace_back();
    }
  }
  if (const auto config = parse_exchange_words(words)) {
    for (const PeerSection& peer : config->peers) CHECK(!peer.public_key.empty());
  }
  return 0;
}
