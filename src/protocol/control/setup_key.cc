#include "protocol/control/setup_key.h"

#include "base/hex.h"
#include "crypto/hash.h"
#include "protocol/control/trimmed.h"

#include <algorithm>

namespace trellis::control {

namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";

constexpr bool is_hyphen_at(std::size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

constexpr char upper(char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; }

constexpr bool is_digit(char c) { return kDigits.find(upper(c)) != std::string_view::npos; }

bool is_uuid(std::string_view text) {
  if (text.size() != SetupKey::kTextBytes) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_hyphen_at(i) ? text[i] != '-' : !is_digit(text[i])) return false;
  }
  return true;
}

}  // namespace

SetupKey SetupKey::generate(Random& random) {
  SecretBytes<struct UuidTag, 16> uuid =
      SecretBytes<struct UuidTag, 16>::make([&](std::span<std::byte, 16> target) {
        random.fill(target);
        target[6] = (target[6] & std::byte{0x0f}) | std::byte{0x40};  // version 4
        target[8] = (target[8] & std::byte{0x3f}) | std::byte{0x80};  // variant
      });
  return SetupKey(Text::make([&](std::span<std::byte, kTextBytes> target) {
    std::size_t nibble = 0;
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (is_hyphen_at(i)) {
        target[i] = std::byte{'-'};
        continue;
      }
      const auto byte = std::to_integer<unsigned>(uuid.expose()[nibble / 2]);
      target[i] = std::byte(kDigits[(nibble++ % 2 == 0 ? byte >> 4 : byte) & 15]);
    }
  }));
}

Result<SetupKey> SetupKey::parse(std::string_view text) {
  const std::string_view key = trimmed(text);
  if (key.empty()) return fail_with("the setup key is empty");
  if (!is_uuid(key)) {
    return fail_with(
        "that is no setup key: one looks like XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX, "
        "with hexadecimal digits");
  }
  return SetupKey(Text::make([&](std::span<std::byte, kTextBytes> target) {
    std::transform(key.begin(), key.end(), target.begin(),
                   [](char c) { return std::byte(upper(c)); });
  }));
}

std::string_view SetupKey::text() const {
  const auto bytes = text_.expose();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string SetupKey::hash() const { return to_base64(crypto::sha256(text_.expose())); }

bool SetupKey::is_nil() const {
  return std::ranges::all_of(text(), [](char c) { return c == '0' || c == '-'; });
}

}  // namespace trellis::control
