#pragma once

#include "base/result.h"

#include <string_view>

namespace trellis::netmap {

/// Refuses what a list of peers never needs and toml++ 3.3 does not survive. `[=]`, `[}` and
/// `1979-05-27 1,` abort it (or worse, where its assertions are off), a key of thousands of dots
/// nests tables until the stack is used up, and some letters beyond ASCII lead it nowhere when they
/// stand outside of strings.
///
/// So there are no braces, no dates, no signs that are not in use, no sections without a name, no
/// quotes inside of words, no strings of several lines, and few dots. What is no TOML in another
/// way passes: those errors are the parser's to tell.
Result<> guard_toml(std::string_view text);

}  // namespace trellis::netmap
