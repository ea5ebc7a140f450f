#include "apps/rosenpass/cache_folder.h"

#include <cstdlib>
#include <optional>

namespace trellis::rosenpass_program {
namespace {

std::optional<std::string> environment(const char* variable) {
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  if (value == nullptr || *value != '/') return std::nullopt;
  return value;
}

}  // namespace

std::string cache_folder() {
  if (const auto folder = environment("XDG_CACHE_HOME")) return *folder + "/trellis-rosenpass";
  if (const auto home = environment("HOME")) return *home + "/.cache/trellis-rosenpass";
  return "/var/cache/trellis-rosenpass";
}

}  // namespace trellis::rosenpass_program
