#include "node/pair/key_name.h"

#include "base/hex.h"

#include <charconv>

namespace trellis::pair {

std::string KeyName::to_string() const { return std::to_string(suite) + ":" + to_hex(pid.bytes); }

std::optional<KeyName> KeyName::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  KeyName name;
  const auto [end, error] = std::from_chars(text.data(), text.data() + colon, name.suite);
  const auto pid = array_from_hex<32>(text.substr(colon + 1));
  if (error != std::errc{} || end != text.data() + colon || !pid) return std::nullopt;
  name.pid.bytes = *pid;
  return name;
}

}  // namespace trellis::pair
