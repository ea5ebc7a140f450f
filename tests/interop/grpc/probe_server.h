#pragma once

#include "base/time.h"

#include <cstddef>

namespace trellis::probe {

struct ServeOptions {
  std::size_t piece = 65'536;
  Duration keepalive{};
};

/// The service echo.Echo on loopback, until the process is ended. See README.md.
[[noreturn]] void serve(const ServeOptions& options);

}  // namespace trellis::probe
