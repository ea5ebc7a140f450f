// A setup key out of a file, a variable or a Login. An error never tells what stood there.

#include "protocol/control/setup_key.h"

#include "input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  const std::string_view text = fuzz::text_of(std::as_bytes(std::span(data, size)));
  const auto key = control::SetupKey::parse(text);
  if (!key) {
    CHECK(key.error() == control::SetupKey::parse("").error() ||
          key.error() == control::SetupKey::parse("x").error());
    return 0;
  }
  CHECK(key->text().size() == control::SetupKey::kTextBytes);
  const auto again = control::SetupKey::parse(key->text());
  CHECK(again && again->text() == key->text() && again->hash() == key->hash());
  CHECK(key->hash().size() == 44);
  return 0;
}
