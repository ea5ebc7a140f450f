#pragma once

#include "base/time.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace trellis::probe {

struct CallOptions {
  std::uint16_t port = 0;
  std::size_t piece = 65'536;
  Duration keepalive = 30s;
  std::string scenario;
  std::vector<std::size_t> numbers;  // of the scenario
};

/// Runs one scenario against echo.Echo on loopback; prints what came of it. See README.md.
int run_scenario(const CallOptions& options);

}  // namespace trellis::probe
