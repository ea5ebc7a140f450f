#include "system/daemonise.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace trellis::system {
namespace {

[[noreturn]] void wait_and_exit(Descriptor child_says, pid_t child) {
  char byte = 0;
  ssize_t n = 0;
  do {
    n = ::read(child_says.get(), &byte, 1);
  } while (n < 0 && errno == EINTR);
  if (n == 1) ::_exit(EXIT_SUCCESS);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

}  // namespace

Result<Daemon> Daemon::start() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_with_errno("cannot make a pipe", errno);
  Descriptor parent_end(ends[0]);
  Descriptor child_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail_with_errno("cannot go to the background", errno);
  if (child > 0) {
    child_end.reset();
    wait_and_exit(std::move(parent_end), child);
  }
  ::setsid();
  return Daemon(std::move(child_end));
}

void Daemon::ready(Errors errors) {
  const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (nothing.valid()) {
    ::dup2(nothing.get(), STDIN_FILENO);
    ::dup2(nothing.get(), STDOUT_FILENO);
    if (errors == Errors::Discard) ::dup2(nothing.get(), STDERR_FILENO);
  }
  // Nobody may wait any more; then it does not matter.
  static_cast<void>(::write(parent_.get(), "", 1) > 0);
  parent_.reset();
}

}  // namespace trellis::system
