#include "protocol/grpc/text_codec.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace trellis::grpc {
namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kHex = "0123456789ABCDEF";
constexpr std::size_t kTimeoutDigitsMax = 8;
constexpr std::uint64_t kTimeoutNumberMax = 99'999'999;
constexpr Duration kTimeoutMax = 24h * 365;

struct Unit {
  char letter;
  Duration length;
};
constexpr std::array<Unit, 6> kUnits{
    {{'n', 1ns}, {'u', 1us}, {'m', 1ms}, {'S', 1s}, {'M', 1min}, {'H', 1h}}};

std::uint32_t octet(char c) { return static_cast<unsigned char>(c); }

std::optional<std::uint32_t> hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? octet(bytes[at + i]) : 0);
    for (std::size_t i = 0; i <= count; ++i) text += kBase64[group >> (18 - 6 * i) & 63];
  }
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const std::size_t value = kBase64.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    group = (group << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xff);
  }
  const bool leftover = (group & ((1U << bits) - 1)) != 0;
  if (leftover) return std::nullopt;
  return bytes;
}

std::string percent_encode(std::string_view message) {
  std::string text;
  text.reserve(message.size());
  for (const char c : message) {
    if (c >= 0x20 && c <= 0x7e && c != '%') {
      text += c;
    } else {
      text += {'%', kHex[octet(c) >> 4], kHex[octet(c) & 15]};
    }
  }
  return text;
}

std::string percent_decode(std::string_view text) {
  std::string message;
  message.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size()) {
      const auto high = hex_value(text[at + 1]);
      const auto low = hex_value(text[at + 2]);
      if (high && low) {
        message += static_cast<char>(*high << 4 | *low);
        at += 2;
        continue;
      }
    }
    message += text[at];
  }
  return message;
}

std::string format_timeout(Duration timeout) {
  for (const Unit& unit : kUnits) {
    const auto whole = static_cast<std::uint64_t>(timeout / unit.length);
    const std::uint64_t number = whole + (timeout % unit.length != Duration{} ? 1 : 0);
    if (number <= kTimeoutNumberMax) return std::to_string(number) + unit.letter;
  }
  return std::to_string(kTimeoutNumberMax) + 'H';
}

std::optional<Duration> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > kTimeoutDigitsMax + 1) return std::nullopt;
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [&](const Unit& u) { return u.letter == text.back(); });
  if (unit == kUnits.end()) return std::nullopt;
  std::uint32_t number = 0;
  const char* end = text.data() + text.size() - 1;
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (number > kTimeoutMax / unit->length) return kTimeoutMax;
  return unit->length * number;
}

}  // namespace trellis::grpc
