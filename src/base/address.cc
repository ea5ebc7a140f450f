#include "base/address.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace trellis {
namespace {

/// A decimal number without sign, space or needless leading zero.
template <class T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  if (text.empty() || (base == 10 && text.size() > 1 && text[0] == '0')) return std::nullopt;
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Bytes<4>> parse_v4(std::string_view text) {
  Bytes<4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const auto part = parse_number<std::uint8_t>(text.substr(0, dot));
    if (!part) return std::nullopt;
    bytes[i] = std::byte{*part};
    text.remove_prefix(std::min(text.size(), dot + 1));
  }
  return bytes;
}

/// Groups of 16 bits between colons; a trailing dotted quad counts as two. [RFC 4291 2.2]
std::optional<std::vector<std::uint16_t>> parse_groups(std::string_view text, bool may_end_in_v4) {
  std::vector<std::uint16_t> groups;
  if (text.empty()) return groups;
  while (true) {
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (colon == std::string_view::npos && may_end_in_v4 && part.find('.') != part.npos) {
      const auto quad = parse_v4(part);
      if (!quad) return std::nullopt;
      for (std::size_t i = 0; i < 4; i += 2) {
        groups.push_back(static_cast<std::uint16_t>(std::to_integer<unsigned>((*quad)[i]) << 8 |
                                                    std::to_integer<unsigned>((*quad)[i + 1])));
      }
      return groups;
    }
    if (part.size() > 4) return std::nullopt;
    const auto group = parse_number<std::uint16_t>(part, 16);
    if (!group) return std::nullopt;
    groups.push_back(*group);
    if (groups.size() > 8) return std::nullopt;
    if (colon == std::string_view::npos) return groups;
    text.remove_prefix(colon + 1);
  }
}

std::optional<Bytes<16>> parse_v6(std::string_view text) {
  std::vector<std::uint16_t> head;
  const std::size_t gap = text.find("::");
  if (gap != std::string_view::npos) {
    const auto before = parse_groups(text.substr(0, gap), false);
    const auto after = parse_groups(text.substr(gap + 2), true);
    if (!before || !after || before->size() + after->size() > 7) return std::nullopt;
    head = *before;
    head.resize(8 - after->size(), 0);
    head.insert(head.end(), after->begin(), after->end());
  } else {
    const auto groups = parse_groups(text, true);
    if (!groups || groups->size() != 8) return std::nullopt;
    head = *groups;
  }
  Bytes<16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[2 * i] = static_cast<std::byte>(head[i] >> 8);
    bytes[2 * i + 1] = static_cast<std::byte>(head[i] & 0xff);
  }
  return bytes;
}

std::string hex_group(unsigned value) {
  char buffer[8];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, 16).ptr;
  return std::string(buffer, end);
}

/// The canonical text. [RFC 5952 4]
std::string format_v6(ByteView bytes) {
  unsigned groups[8];
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] =
        std::to_integer<unsigned>(bytes[2 * i]) << 8 | std::to_integer<unsigned>(bytes[2 * i + 1]);
  }
  std::size_t best = 8;
  std::size_t best_length = 1;  // a single zero group is not shortened
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t n = 0;
    while (i + n < 8 && groups[i + n] == 0) ++n;
    if (n > best_length) {
      best = i;
      best_length = n;
    }
  }
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    text += hex_group(groups[i]);
  }
  return text;
}

std::size_t hash_bytes(ByteView bytes, std::size_t seed) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::hash<std::string_view>{}(text) ^ (seed * 0x9e3779b97f4a7c15ULL);
}

}  // namespace

IpAddress IpAddress::v4(const Bytes<4>& bytes) { return from_bytes(bytes); }
IpAddress IpAddress::v6(const Bytes<16>& bytes) { return from_bytes(bytes); }

IpAddress IpAddress::from_bytes(ByteView bytes) {
  IpAddress result;
  result.family_ = bytes.size() == 4 ? Family::V4 : Family::V6;
  std::copy_n(bytes.begin(), std::min<std::size_t>(16, bytes.size()), result.bytes_.begin());
  return result;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    const auto bytes = parse_v6(text);
    return bytes ? std::optional(v6(*bytes)) : std::nullopt;
  }
  const auto bytes = parse_v4(text);
  return bytes ? std::optional(v4(*bytes)) : std::nullopt;
}

IpAddress IpAddress::unmapped() const {
  constexpr Bytes<12> kMapped = {std::byte{0}, std::byte{0}, std::byte{0},   std::byte{0},
                                 std::byte{0}, std::byte{0}, std::byte{0},   std::byte{0},
                                 std::byte{0}, std::byte{0}, std::byte{255}, std::byte{255}};
  if (is_v4() || !std::equal(kMapped.begin(), kMapped.end(), bytes_.begin())) return *this;
  return from_bytes(ByteView(bytes_).last(4));
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == std::byte{127};
  return bytes_[15] == std::byte{1} &&
         std::all_of(bytes_.begin(), bytes_.begin() + 15, [](auto b) { return b == std::byte{}; });
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (bytes_[0] & std::byte{0xf0}) == std::byte{0xe0} : bytes_[0] == std::byte{0xff};
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](auto b) { return b == std::byte{}; });
}

bool IpAddress::is_link_local() const {
  if (is_v4()) return bytes_[0] == std::byte{169} && bytes_[1] == std::byte{254};
  return bytes_[0] == std::byte{0xfe} && (bytes_[1] & std::byte{0xc0}) == std::byte{0x80};
}

std::string IpAddress::to_string() const {
  if (is_v6()) return format_v6(bytes_);
  std::string text;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) text += '.';
    text += std::to_string(std::to_integer<unsigned>(bytes_[i]));
  }
  return text;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port || *port == 0) return std::nullopt;
  std::uint32_t scope = 0;
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
    if (const std::size_t percent = host.find('%'); percent != std::string_view::npos) {
      const auto number = parse_number<std::uint32_t>(host.substr(percent + 1));
      if (!number) return std::nullopt;
      scope = *number;
      host = host.substr(0, percent);
    }
  }
  const auto address = IpAddress::parse(host);
  if (!address || address->is_v6() != bracketed) return std::nullopt;
  return Endpoint{*address, *port, scope};
}

std::string Endpoint::to_string() const {
  const std::string number = std::to_string(port);
  if (address.is_v4()) return address.to_string() + ":" + number;
  const std::string zone = scope != 0 ? "%" + std::to_string(scope) : "";
  return "[" + address.to_string() + zone + "]:" + number;
}

Prefix::Prefix(const IpAddress& address, std::uint8_t length)
    : length_(std::min(length, address.bits())) {
  Bytes<16> bytes{};
  const ByteView source = address.bytes();
  for (std::size_t i = 0; i < source.size(); ++i) {
    const int kept = std::clamp(static_cast<int>(length_) - static_cast<int>(8 * i), 0, 8);
    bytes[i] = source[i] & static_cast<std::byte>(0xff00 >> kept);
  }
  address_ = IpAddress::from_bytes(ByteView(bytes).first(source.size()));
}

namespace {

struct AddressAndLength {
  IpAddress address;
  std::uint8_t length;
};

std::optional<AddressAndLength> parse_with_length(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return AddressAndLength{*address, address->bits()};
  const auto length = parse_number<std::uint8_t>(text.substr(slash + 1));
  if (!length || *length > address->bits()) return std::nullopt;
  return AddressAndLength{*address, *length};
}

}  // namespace

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto parsed = parse_with_length(text);
  return parsed ? std::optional(Prefix(parsed->address, parsed->length)) : std::nullopt;
}

bool Prefix::contains(const IpAddress& address) const {
  return address.family() == address_.family() && Prefix(address, length_).address_ == address_;
}

bool Prefix::overlaps(const Prefix& other) const {
  return length_ <= other.length_ ? contains(other.address_) : other.contains(address_);
}

std::string Prefix::to_string() const {
  return address_.to_string() + "/" + std::to_string(length_);
}

std::optional<InterfaceAddress> InterfaceAddress::parse(std::string_view text) {
  const auto parsed = parse_with_length(text);
  if (!parsed) return std::nullopt;
  return InterfaceAddress{parsed->address, parsed->length};
}

std::string InterfaceAddress::to_string() const {
  return address.to_string() + "/" + std::to_string(length);
}

}  // namespace trellis

std::size_t std::hash<trellis::IpAddress>::operator()(
    const trellis::IpAddress& address) const noexcept {
  return trellis::hash_bytes(address.bytes(), address.bits());
}

std::size_t std::hash<trellis::Endpoint>::operator()(
    const trellis::Endpoint& endpoint) const noexcept {
  return trellis::hash_bytes(endpoint.address.bytes(),
                             std::size_t{endpoint.port} << 32 | endpoint.scope);
}
