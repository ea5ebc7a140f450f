#include "base/log.h"

#include <array>
#include <atomic>

namespace trellis::log {
namespace {

// The one piece of process-wide state: every module logs, and handing a logger to each pure
// function would cost more clarity than it gives.
std::atomic<Sink> g_sink{nullptr};
std::atomic<Level> g_level{Level::info};

constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info",
                                                    "warn",  "error", "off"};

}  // namespace

void set_sink(Sink sink) { g_sink.store(sink, std::memory_order_relaxed); }
void set_level(Level level) { g_level.store(level, std::memory_order_relaxed); }

bool enabled(Level level) {
  return level >= g_level.load(std::memory_order_relaxed) &&
         g_sink.load(std::memory_order_relaxed) != nullptr;
}

void write(Level level, std::string_view module, std::string_view text) {
  if (const Sink sink = g_sink.load(std::memory_order_relaxed)) sink(level, module, text);
}

bool parse_level(std::string_view text, Level& level) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (text != kNames[i]) continue;
    level = static_cast<Level>(i);
    return true;
  }
  return false;
}

std::string_view name(Level level) { return kNames[static_cast<std::size_t>(level)]; }

}  // namespace trellis::log
