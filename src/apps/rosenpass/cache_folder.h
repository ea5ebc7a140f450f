#pragma once

#include <string>

namespace trellis::rosenpass_program {

/// What can be made again: $XDG_CACHE_HOME/trellis-rosenpass, ~/.cache/trellis-rosenpass or
/// /var/cache/trellis-rosenpass.
std::string cache_folder();

}  // namespace trellis::rosenpass_program
