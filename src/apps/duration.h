#pragma once

#include "base/result.h"

#include <cstdint>
#include <string_view>

namespace trellis::apps {

/// What people type for a span of time: "90s", "30m", "24h", "7d", "2w". A bare number is seconds.
/// Fails on anything else, and beyond a hundred years.
Result<std::uint64_t> parse_seconds(std::string_view text);

}  // namespace trellis::apps
