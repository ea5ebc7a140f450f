#pragma once

#include <string>

namespace trellis::crypto {

/// Versions of the libraries that this program runs with, for people.
struct LibraryVersions {
  std::string openssl;
  std::string sodium;
  std::string mceliece;
};
LibraryVersions library_versions();

}  // namespace trellis::crypto
