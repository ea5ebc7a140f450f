#pragma once

#include <fmt/format.h>

#include <string_view>

namespace trellis::log {

/// trace: each packet. debug: a decision. info: what a user would notice, rarely. warn: look at it
/// today. error: we stop. Nothing that a stranger sends may log above debug.
enum class Level : int { trace, debug, info, warn, error, off };

/// Takes one finished line. Set once by `main`; without one, lines are dropped.
using Sink = void (*)(Level, std::string_view module, std::string_view text);

void set_sink(Sink sink);
void set_level(Level level);
bool enabled(Level level);
void write(Level level, std::string_view module, std::string_view text);

/// "trace" ... "off"; anything else is no level.
bool parse_level(std::string_view text, Level& level);
std::string_view name(Level level);

}  // namespace trellis::log

/// LOG(debug, "wireguard", "session established peer={} rtt_ms={}", peer, rtt): a constant
/// sentence, then fields. Secrets have no formatter, so they cannot be logged.
#define LOG(level, module, ...)                                                                \
  do {                                                                                         \
    if (::trellis::log::enabled(::trellis::log::Level::level)) {                               \
      ::trellis::log::write(::trellis::log::Level::level, module, ::fmt::format(__VA_ARGS__)); \
    }                                                                                          \
  } while (false)
