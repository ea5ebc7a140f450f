#include "protocol/ice/credentials.h"

#include "base/hex.h"

#include <algorithm>

namespace trellis::ice {
namespace {

constexpr std::size_t kUfragLeast = 4;
constexpr std::size_t kPasswordLeast = 22;
constexpr std::size_t kMost = 256;

bool is_ice_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  });
}

}  // namespace

std::string Credentials::to_string() const {
  const ByteView secret = password.expose();
  std::string text = ufrag + ":";
  text.append(reinterpret_cast<const char*>(secret.data()), secret.size());
  return text;
}

// Base64 without padding is of the ice alphabet.
Credentials make_credentials(std::span<const std::byte, kUfragSize / 4 * 3> name,
                             std::span<const std::byte, kPasswordSize / 4 * 3> secret) {
  std::string text = to_base64(secret);
  Credentials credentials{to_base64(name), SecretBuffer(as_bytes(text))};
  zeroise(std::as_writable_bytes(std::span(text)));
  return credentials;
}

Credentials generate_credentials(Random& random) {
  const auto name = random.bytes<kUfragSize / 4 * 3>();
  auto secret = random.bytes<kPasswordSize / 4 * 3>();
  Credentials credentials = make_credentials(name, secret);
  zeroise(secret);
  return credentials;
}

std::optional<Credentials> parse_credentials(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view ufrag = text.substr(0, colon);
  const std::string_view password = text.substr(colon + 1);
  const bool good = ufrag.size() >= kUfragLeast && ufrag.size() <= kMost &&
                    password.size() >= kPasswordLeast && password.size() <= kMost &&
                    is_ice_text(ufrag) && is_ice_text(password);
  if (!good) return std::nullopt;
  return Credentials{std::string(ufrag), SecretBuffer(as_bytes(password))};
}

}  // namespace trellis::ice
