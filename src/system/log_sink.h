#pragma once

#include "base/log.h"

namespace trellis::system {

/// Sends the log to standard error: with the time and the level's name, or, under systemd (which
/// adds the time itself), with journald's priorities. A reader that does not keep up (a stuck pipe,
/// a stopped terminal) costs lines, never time: they are counted and the count is told later.
void start_logging(log::Level level);

}  // namespace trellis::system
