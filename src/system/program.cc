#include "system/program.h"

#include "system/descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
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
  void duplicate(int from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from, to); }
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

Result<pid_t> spawn(const std::vector<std::string>& words, const FileActions& actions) {
  CHECK(!words.empty());
  std::vector<std::string> copies = words;  // the kernel's interface wants them writable
  std::vector<char*> arguments;
  arguments.reserve(copies.size() + 1);
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const PlainSignals signals;
  pid_t child = 0;
  const int failed =
      ::posix_spawnp(&child, arguments[0], actions.get(), signals.get(), arguments.data(), environ);
  if (failed != 0) return fail_with_errno("cannot start " + words[0], failed);
  return child;
}

/// Its exit status; 128 + number if a signal ended it.
Result<int> wait_for(pid_t child, const std::string& name) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail_with_errno("cannot wait for " + name, errno);
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Leaves it to be waited for.
bool ends_within(pid_t child, Duration timeout) {
  const Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!handle.valid()) return true;  // an old kernel: waiting will have to do
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  pollfd entry{handle.get(), POLLIN, 0};
  int n = 0;
  do {
    n = ::poll(&entry, 1, static_cast<int>(milliseconds));
  } while (n < 0 && errno == EINTR);
  return n > 0;
}

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
  FileActions actions;
  actions.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  actions.open(STDOUT_FILENO, "/dev/null", O_WRONLY);
  if (!errors_file.empty()) {
    actions.open(STDERR_FILENO, errors_file.c_str(), O_WRONLY | O_CREAT | O_APPEND);
  }
  const pid_t child = TRY(spawn(words, actions));
  return wait_for(child, words[0]);
}

Result<int> run_program_with_input(const std::vector<std::string>& words, ByteView input,
                                   Duration timeout) {
  CHECK(input.size() <= 65536);  // fits into a pipe, so nobody waits for anybody
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_with_errno("cannot make a pipe", errno);
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  if (::write(writing.get(), input.data(), input.size()) != std::ssize(input)) {
    return fail_with_errno("cannot write to a pipe", errno);
  }
  writing.reset();
  FileActions actions;
  actions.duplicate(reading.get(), STDIN_FILENO);
  const pid_t child = TRY(spawn(words, actions));
  if (!ends_within(child, timeout)) {
    ::kill(child, SIGKILL);
    static_cast<void>(wait_for(child, words[0]));
    return fail_with(fmt::format("{} did not end in time and was stopped", words[0]));
  }
  return wait_for(child, words[0]);
}

}  // namespace trellis::system
