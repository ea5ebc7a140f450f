#pragma once

#include "base/result.h"
#include "system/descriptor.h"

#include <string>
#include <string_view>

namespace trellis::system {

/// Fails unless only we may enter the folder.
Result<> check_private_folder(const std::string& path);
/// Makes the folder, 0700 (and its parents, 0755), if there is none; then as check_private_folder.
Result<> make_private_folder(const std::string& path);

/// A folder that one process at a time uses, 0700, with a file `lock` in it. The lock ends with the
/// process, however that ends.
class StateFolder {
 public:
  /// Makes the folder (and its parents, 0755) if there is none. Fails if others may read it, if it
  /// belongs to another user, or if a process holds the lock (the error names its pid).
  static Result<StateFolder> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  StateFolder(std::string path, Descriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  Descriptor lock_;
};

}  // namespace trellis::system
