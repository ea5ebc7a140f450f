#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trellis::apps {

/// "0s", "59s", "2m 3s", "5h 7m", "3d 4h".
std::string human_seconds(double seconds);

/// "0 B", "999 B", "1.0 KiB", "12.3 MiB".
std::string human_bytes(std::uint64_t bytes);

/// Rows of cells, each column as wide as its widest cell, two spaces between them, no spaces at the
/// end of a line. Widths count characters of UTF-8, not bytes.
std::string fit_columns(const std::vector<std::vector<std::string>>& rows);

/// The one of `known` that was likely meant by `word`: at most a third of its letters differ. Empty
/// if none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace trellis::apps
