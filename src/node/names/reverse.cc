#include "node/names/reverse.h"

#include "base/host_label.h"

#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

namespace trellis::names {
namespace {

constexpr std::size_t kRootLabels = 2;  // "in-addr.arpa", "ip6.arpa"

/// A number as it stands in a label: no sign, no needless zero.
std::optional<unsigned> read_number(std::string_view label, int base, unsigned most) {
  const bool padded = label.size() > 1 && label.front() == '0';
  unsigned value = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), value, base);
  if (padded || error != std::errc{} || end != label.data() + label.size() || value > most) {
    return std::nullopt;
  }
  return value;
}

/// `labels` from the left, the last part of the address first.
template <std::size_t N>
std::optional<Prefix> read_parts(const std::vector<std::string_view>& labels, int base,
                                 unsigned bits_of_part) {
  const std::size_t count = labels.size() - kRootLabels;
  if (count == 0 || count * bits_of_part > N * 8) return std::nullopt;
  Bytes<N> address{};
  for (std::size_t i = 0; i < count; ++i) {
    const auto part = read_number(labels[count - 1 - i], base, (1u << bits_of_part) - 1);
    if (!part) return std::nullopt;
    const std::size_t bit = i * bits_of_part;
    const auto shifted = static_cast<std::byte>(*part << (8 - bits_of_part - bit % 8));
    address[bit / 8] |= shifted;
  }
  return Prefix(IpAddress::from_bytes(address), static_cast<std::uint8_t>(count * bits_of_part));
}

}  // namespace

std::optional<Prefix> prefix_of(const dns::Name& name) {
  static const dns::Name kV4 = *dns::Name::parse("in-addr.arpa");
  static const dns::Name kV6 = *dns::Name::parse("ip6.arpa");
  if (name.is_within(kV4)) return read_parts<4>(name.labels(), 10, 8);
  if (name.is_within(kV6)) return read_parts<16>(name.labels(), 16, 4);
  return std::nullopt;
}

dns::Name reverse_zone(const dns::Name& inside, const Prefix& network) {
  const std::size_t bits_of_label = network.address().is_v4() ? 8 : 4;
  return inside.suffix(kRootLabels + (network.length() + bits_of_label - 1) / bits_of_label);
}

}  // namespace trellis::names
