#pragma once

#include <string>

namespace trellis::system {

/// What this machine calls itself, up to the first dot. Empty if the kernel does not say.
std::string host_name();

/// What runs here, for listings.
struct SystemFacts {
  std::string system;   // "linux"
  std::string kernel;   // "6.1.0-13-amd64"
  std::string machine;  // "x86_64"
};
SystemFacts system_facts();

}  // namespace trellis::system
