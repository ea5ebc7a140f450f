#include "node/netmap/toml_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace trellis::netmap {
namespace {

constexpr std::size_t kDotsMax = 16;  // outside of strings, in one line
constexpr std::string_view kBlank = " \t";

tl::unexpected<Error> refuse(std::size_t line, std::size_t offset, std::string_view why) {
  return fail_with(fmt::format("line {}, column {}: {}", line, offset + 1, why));
}

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_quote(char c) { return c == '"' || c == '\''; }

/// A value or key.
bool may_precede(char c) {
  return kBlank.find(c) != std::string_view::npos || c == '=' || c == ',' || c == '[';
}

bool stands_outside_of_quotes(char c) {
  constexpr std::string_view kSigns = "[]=,.+";
  return is_key_character(c) || kBlank.find(c) != std::string_view::npos ||
         kSigns.find(c) != std::string_view::npos;
}

/// Where the string that begins at `begin` ends: behind its closing quote, or at the line's end.
std::size_t end_of_string(std::string_view line, std::size_t begin) {
  const char quote = line[begin];
  std::size_t at = begin + 1;
  while (at < line.size() && line[at] != quote) {
    at += quote == '"' && line[at] == '\\' ? 2u : 1u;  // no escapes in '...'
  }
  return at + 1;
}

/// `line` begins with a bracket.
Result<> guard_section(std::string_view line, std::size_t number) {
  std::size_t at = line.find_first_not_of(kBlank);
  at = std::min(line.find_first_not_of(kBlank, at + 1), line.size());
  if (at < line.size() && line[at] == '[') {
    at = std::min(line.find_first_not_of(kBlank, at + 1), line.size());
  }
  const bool named =
      at < line.size() && (is_key_character(line[at]) || is_quote(line[at]) || line[at] == ']');
  if (named) return {};
  return refuse(number, at, "this is no name of a section: write [host] or [[peer]]");
}

/// Reads lines in order; remembers whether they are inside of an array.
class Guard {
 public:
  Result<> line(std::string_view line, std::size_t number) {
    const std::size_t first = line.find_first_not_of(kBlank);
    const bool is_section = depth_ == 0 && first != std::string_view::npos && line[first] == '[';
    if (is_section) TRY(guard_section(line, number));
    std::size_t dots = 0;
    bool assigned = depth_ > 0;  // what follows is a value: there is no '=' in an array
    for (std::size_t at = 0; at < line.size() && line[at] != '#';) {
      const char c = line[at];
      const bool inside_value = assigned && at > 0 && !may_precede(line[at - 1]);
      const bool is_date = c == '-' && inside_value;
      if (is_date || (!is_quote(c) && !stands_outside_of_quotes(c))) {
        return refuse(number, at, "this character only stands in a text: put texts in quotes");
      }
      if ((is_quote(c) || c == '[') && at > 0 && !may_precede(line[at - 1])) {
        return refuse(number, at,
                      "a quote or bracket inside of a word: put the whole text in quotes");
      }
      if (is_quote(c)) {
        if (line.substr(at, 3) == (c == '"' ? "\"\"\"" : "'''")) {
          return refuse(number, at, "write each text in one line, with one quote at each end");
        }
        at = end_of_string(line, at);
        if (at < line.size() && (is_key_character(line[at]) || is_quote(line[at]))) {
          return refuse(number, at, "a text goes on behind its quotes: is there a quote too many?");
        }
        continue;
      }
      if (c == '=' && std::exchange(assigned, true)) {
        return refuse(number, at, "there is an '=' too many: give each key a line");
      }
      if (c == '.' && ++dots > kDotsMax) {
        return refuse(number, at, "too many dots outside of quotes: put texts in quotes");
      }
      if (c == '[') ++depth_;
      if (c == ']' && depth_ > 0) --depth_;
      ++at;
    }
    if (is_section) depth_ = 0;
    return {};
  }

 private:
  std::size_t depth_ = 0;  // of open arrays
};

}  // namespace

Result<> guard_toml(std::string_view text) {
  Guard guard;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    TRY(guard.line(line, number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace trellis::netmap
