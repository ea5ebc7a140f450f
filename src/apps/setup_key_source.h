#pragma once

#include "apps/mesh_request.h"
#include "base/result.h"
#include "base/secret.h"

#include <optional>
#include <string>
#include <vector>

namespace trellis::apps {

/// A setup key, and what its owner should know about where it came from.
struct FoundSetupKey {
  std::optional<SecretBuffer> text;  // nothing: none was given
  std::vector<std::string> warnings;
};

/// Looks for the setup key in the file that was named, on the command line, and in
/// $TRELLIS_SETUP_KEY; the first that is given counts. It is trimmed and must look like one. Where
/// it came from is what an error tells, never what it was.
Result<FoundSetupKey> find_setup_key(const MeshRequest& request);

}  // namespace trellis::apps
