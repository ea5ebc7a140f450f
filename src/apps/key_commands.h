#pragma once

#include "base/result.h"

#include <string>

namespace trellis::apps {

// `trellis keys ...`. What they print goes to standard output.

Result<> make_keys(const std::string& state_folder);

enum class Form { Text, Json };

/// The public half of the keys of this host, and what the other hosts have to write down.
Result<> show_keys(const std::string& state_folder, Form form);

/// Copies the Rosenpass public key to `target`; "-" is standard output.
Result<> export_rosenpass_public_key(const std::string& state_folder, const std::string& target);

}  // namespace trellis::apps
