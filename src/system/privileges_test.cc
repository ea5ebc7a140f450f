#include "system/privileges.h"

#include "system/network_namespace.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>
#include <string>

namespace trellis::system {
namespace {

/// "0000000000001000": a line of /proc/self/status.
std::string status(const std::string& key) {
  std::ifstream file("/proc/thread-self/status");
  std::string word;
  while (file >> word) {
    if (word == key + ":" && file >> word) return word;
  }
  return "";
}

/// What is given up cannot be had back, so a child gives it up.
bool holds_in_a_child(const std::function<bool()>& what) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(what() ? 0 : 1);
  int state = 0;
  return ::waitpid(child, &state, 0) == child && WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

TEST(Privileges, of_all_that_root_may_do_the_named_capabilities_are_kept) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(holds_in_a_child([] {
    const std::array kept{CAP_NET_ADMIN, CAP_NET_BIND_SERVICE};
    if (!keep_capabilities(kept)) return false;
    const std::string both = "0000000000001400";
    return status("CapPrm") == both && status("CapEff") == both && status("CapBnd") == both &&
           status("CapInh") == "0000000000000000" && status("CapAmb") == "0000000000000000" &&
           status("NoNewPrivs") == "1";
  }));
}

TEST(Privileges, a_program_that_is_started_gets_no_other_capability_back) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(holds_in_a_child([] {
    if (!keep_capabilities(std::array{CAP_NET_ADMIN})) return false;
    ::execl("/bin/sh", "sh", "-c", "grep -q '^CapEff:.0000000000001000$' /proc/self/status",
            nullptr);
    return false;
  }));
}

TEST(Privileges, what_one_never_had_is_not_given) {
  EXPECT_TRUE(holds_in_a_child([] {
    const std::array<int, 0> none{};
    const std::array kept{CAP_NET_ADMIN};
    return keep_capabilities(none) && keep_capabilities(kept) &&
           status("CapEff") == "0000000000000000";
  }));
}

TEST(NetworkNamespace, names_and_paths_that_are_none_are_told_apart) {
  const auto missing = enter_network_namespace("no-such-namespace");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message,
            "there is no network namespace no-such-namespace: `ip netns list` shows those that "
            "have names");
  EXPECT_FALSE(enter_network_namespace(""));
  EXPECT_FALSE(enter_network_namespace(".."));
  const auto wrong = enter_network_namespace("/proc/self/status");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "/proc/self/status is no network namespace");
}

}  // namespace
}  // namespace trellis::system
