#include "system/program.h"

#include "system/descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace trellis::system {
namespace {

bool is_program(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

/// Owns a list of what a child does with its descriptors.
class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }

  void open(int descriptor, const char* path, int flags) {
    ::posix_spawn_file_actions_addopen(&actions_, descriptor, path, flags, 0600);
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

/// A child begins as from a shell: with no signal blocked or ignored, whatever its parent does with
/// signals. What a daemon blocks to read it from a descriptor, a child could not be ended by.
class PlainSignals {
 public:
  PlainSignals() {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  PlainSignals(const PlainSignals&) = delete;
  PlainSignals& operator=(const PlainSignals&) = delete;
  ~PlainSignals() { ::posix_spawnattr_destroy(&attributes_); }

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<std::string> find_program(const std::string& name) {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (!failed && is_program(self.parent_path() / name)) return self.parent_path() / name;
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  std::string_view folders = path ? path : "/usr/sbin:/usr/bin";
  while (!folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    const std::filesystem::path file = std::filesystem::path(folders.substr(0, end)) / name;
    if (file.is_absolute() && is_program(file)) return file.string();
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return fail_with(
      fmt::format("the program {} is neither beside this one nor in $PATH: install it, or name its "
                  "folder there",
                  name));
}

Result<int> run_program(const std::vector<std::string>& words, const std::string& errors_file) {
  CHECK(!words.empty());
  std::vector<std::string> copies = words;  // the kernel's interface wants them writable
  std::vector<char*> arguments;
  arguments.reserve(copies.size() + 1);
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  FileActions actions;
  actions.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  actions.open(STDOUT_FILENO, "/dev/null", O_WRONLY);
  if (!errors_file.empty()) {
    actions.open(STDERR_FILENO, errors_file.c_str(), O_WRONLY | O_CREAT | O_APPEND);
  }
  const PlainSignals signals;
  pid_t child = 0;
  const int failed =
      ::posix_spawnp(&child, arguments[0], actions.get(), signals.get(), arguments.data(), environ);
  if (failed != 0) return fail_with_errno("cannot start " + words[0], failed);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail_with_errno("cannot wait for " + words[0], errno);
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace trellis::system
