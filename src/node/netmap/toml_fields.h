#pragma once

#include "base/result.h"

// Its errors are values; one way for all files that include it.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::netmap {

/// "line L, column C: " and the message.
tl::unexpected<Error> fail_at(const toml::source_region& where, std::string_view message);

/// A text and where it was written.
struct Text {
  std::string value;
  toml::source_region where;
};

/// Typed access to the keys of one table; each error says where and what was expected.
class Fields {
 public:
  /// `title`: as people write it, "[host]".
  Fields(const toml::table& table, std::string title) : table_(table), title_(std::move(title)) {}

  /// Fails at the first key that is none of these, with the one that is probably meant.
  Result<> allow_only(std::initializer_list<std::string_view> keys) const;

  Result<Text> required_text(std::string_view key, std::string_view example) const;
  Result<std::optional<Text>> text(std::string_view key, std::string_view example) const;
  /// Fails if the number is not between `least` and `most`.
  Result<std::optional<std::int64_t>> number(std::string_view key, std::int64_t least,
                                             std::int64_t most) const;
  /// Required; 1 to `count_max` texts.
  Result<std::vector<Text>> texts(std::string_view key, std::string_view example,
                                  std::size_t count_max) const;

  const toml::source_region& where() const { return table_.source(); }
  const std::string& title() const { return title_; }

 private:
  tl::unexpected<Error> wrong_type(const toml::node& node, std::string_view key,
                                   std::string_view expected) const;

  const toml::table& table_;
  std::string title_;
};

/// The candidate that differs least from `word`, if it differs little.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::initializer_list<std::string_view> candidates);

}  // namespace trellis::netmap
