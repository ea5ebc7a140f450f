#include "node/netmap/toml_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace trellis::netmap {
namespace {

std::string_view type_name(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

/// Levenshtein's.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// Foreign text in our messages: short.
std::string quoted(std::string_view text) {
  return fmt::format("\"{}{}\"", text.substr(0, 64), text.size() > 64 ? "..." : "");
}

}  // namespace

tl::unexpected<Error> fail_at(const toml::source_region& where, std::string_view message) {
  std::string text =
      fmt::format("line {}, column {}: {}", where.begin.line, where.begin.column, message);
  // The file's own words are in some: without what a terminal would act upon.
  for (char& c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f) c = '?';
  }
  return fail_with(std::move(text));
}

std::optional<std::string_view> nearest(std::string_view word,
                                        std::initializer_list<std::string_view> candidates) {
  if (word.size() > 64) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t least = 0;
  for (const std::string_view candidate : candidates) {
    const std::size_t differs = distance(word, candidate);
    if (best && differs >= least) continue;
    best = candidate;
    least = differs;
  }
  if (!best || least > std::max<std::size_t>(2, best->size() / 3)) return std::nullopt;
  return best;
}

Result<> Fields::allow_only(std::initializer_list<std::string_view> keys) const {
  for (const auto& [key, node] : table_) {
    const std::string_view name = key.str();
    if (std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
    const auto meant = nearest(name, keys);
    if (meant) {
      return fail_at(key.source(), fmt::format("{} has no key {}: did you mean {}?", title_,
                                               quoted(name), quoted(*meant)));
    }
    return fail_at(key.source(), fmt::format("{} has no key {}: remove it (there are {})", title_,
                                             quoted(name), fmt::join(keys, ", ")));
  }
  return {};
}

Result<Text> Fields::required_text(std::string_view key, std::string_view example) const {
  auto value = TRY(text(key, example));
  if (value) return *std::move(value);
  return fail_at(where(), fmt::format("{} lacks {}: add {} = {}", title_, key, key, example));
}

Result<std::optional<Text>> Fields::text(std::string_view key, std::string_view example) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_string();
  if (value == nullptr) return wrong_type(*node, key, fmt::format("a text, like {}", example));
  return Text{value->get(), node->source()};
}

Result<std::optional<std::int64_t>> Fields::number(std::string_view key, std::int64_t least,
                                                   std::int64_t most) const {
  const toml::node* node = table_.get(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_integer();
  if (value == nullptr) return wrong_type(*node, key, "a whole number");
  if (value->get() < least || value->get() > most) {
    return fail_at(node->source(), fmt::format("{} is {}: it must be a number from {} to {}", key,
                                               value->get(), least, most));
  }
  return value->get();
}

Result<std::vector<Text>> Fields::texts(std::string_view key, std::string_view example,
                                        std::size_t count_max) const {
  const std::string expected = fmt::format("an array of texts, like [{}]", example);
  const toml::node* node = table_.get(key);
  if (node == nullptr) {
    return fail_at(where(), fmt::format("{} lacks {}: add {} = [{}]", title_, key, key, example));
  }
  const toml::array* array = node->as_array();
  if (array == nullptr) return wrong_type(*node, key, expected);
  if (array->empty()) {
    return fail_at(node->source(),
                   fmt::format("{} is empty: give at least one, like [{}]", key, example));
  }
  if (array->size() > count_max) {
    return fail_at(node->source(),
                   fmt::format("{} has {} entries: {} are allowed", key, array->size(), count_max));
  }
  std::vector<Text> result;
  for (const toml::node& entry : *array) {
    const auto* value = entry.as_string();
    if (value == nullptr) return wrong_type(entry, key, expected);
    result.push_back(Text{value->get(), entry.source()});
  }
  return result;
}

tl::unexpected<Error> Fields::wrong_type(const toml::node& node, std::string_view key,
                                         std::string_view expected) const {
  return fail_at(node.source(),
                 fmt::format("{} is {}: it must be {}", key, type_name(node.type()), expected));
}

}  // namespace trellis::netmap
