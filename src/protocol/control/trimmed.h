#pragma once

#include <string_view>

namespace trellis::control {

/// Without the white space around it: what people paste and files hold ends in a line feed.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace trellis::control
