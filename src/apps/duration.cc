#include "apps/duration.h"

#include <fmt/format.h>

#include <charconv>

namespace trellis::apps {
namespace {

constexpr std::uint64_t kDay = 86'400;
constexpr std::uint64_t kSecondsMax = 36'525 * kDay;

std::uint64_t seconds_of(std::string_view unit) {
  if (unit.empty() || unit == "s") return 1;
  if (unit == "m") return 60;
  if (unit == "h") return 3600;
  if (unit == "d") return kDay;
  return unit == "w" ? 7 * kDay : 0;
}

}  // namespace

Result<std::uint64_t> parse_seconds(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto digits = static_cast<std::size_t>(end - text.data());
  const std::uint64_t unit = seconds_of(text.substr(digits));
  if (error != std::errc() || unit == 0 || number == 0) {
    return fail_with(fmt::format("\"{}\" is no span of time: write 90s, 30m, 24h, 7d or 2w", text));
  }
  if (number > kSecondsMax / unit) return fail_with(fmt::format("{} is too long", text));
  return number * unit;
}

}  // namespace trellis::apps
