#pragma once

#include "apps/agent/warnings.h"
#include "base/result.h"
#include "node/agent/state.h"
#include "system/loop.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::apps {

/// A file of the state folder that the agent keeps up to date, 0600. When the disk refuses, the
/// agent goes on, which is safe while it runs; the text is tried again until it is written, and a
/// warning says so.
class StateFile {
 public:
  /// All three must outlive it.
  static Result<StateFile> create(system::Loop& loop, std::string path, Warnings& warnings);

  const std::string& path() const { return self_->path; }
  /// The file's text, or nothing if there is no such file.
  Result<std::optional<std::string>> load() const;
  void save(std::string_view text);
  /// The network was left: nothing is to be remembered.
  Result<> remove();

 private:
  struct Self {
    std::string path;
    Warnings& warnings;
    std::string unsaved;
    system::Timer again;
  };
  explicit StateFile(std::unique_ptr<Self> self) : self_(std::move(self)) {}
  static void write(Self& self);

  std::unique_ptr<Self> self_;  // stays where its timer finds it
};

/// The agent's state, `state.json`; that of a first start if there is no such file.
Result<agent::State> load_state(const StateFile& file);

}  // namespace trellis::apps
