#pragma once

#include "base/time.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace trellis::apps {

/// Removes files of a folder that nobody has needed for a month, and those before, the oldest
/// first, where there are many. When a file was last needed stands in a file `unneeded` beside
/// them: their own times name their content.
class UnneededFiles {
 public:
  static constexpr std::chrono::hours kKeptFor{30 * 24};
  static constexpr std::size_t kKeptMax = 64;

  /// Of files with other endings nothing is known, and they stay.
  UnneededFiles(std::string folder, std::vector<std::string> endings);

  /// `needed`: paths. Files that cannot be removed are tried again the next time.
  void sweep(WallTime now, const std::set<std::string>& needed);

 private:
  std::string list() const { return folder_ + "/unneeded"; }
  void load();
  void save() const;
  std::set<std::string> files() const;

  std::string folder_;
  std::vector<std::string> endings_;
  std::map<std::string, std::int64_t> since_;  // by path; seconds since 1970
};

}  // namespace trellis::apps
