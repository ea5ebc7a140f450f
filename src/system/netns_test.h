#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace trellis::system {

/// Runs `body` in a forked child inside a network namespace of its own, which ends with it. The
/// child's failed expectations are printed and fail the test. False if there may be no namespace.
template <class Body>
bool run_in_namespace(Body&& body) {
  constexpr int kNotAllowed = 77;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(kNotAllowed);
    ::alarm(60);
    body();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotAllowed) return false;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see above; status " << status;
  return true;
}

}  // namespace trellis::system

/// The statements run in a network namespace of their own; without root the test is skipped.
#define IN_NAMESPACE(...)                                                \
  if (!::trellis::system::run_in_namespace([] __VA_ARGS__)) {            \
    GTEST_SKIP() << "needs root: a network namespace could not be made"; \
  }
