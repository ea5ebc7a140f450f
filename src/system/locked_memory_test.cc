#include "system/locked_memory.h"

#include "base/secret.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

namespace trellis::system {
namespace {

/// The flags of the mapping that holds this address, as the kernel shows them.
std::string flags_of(const std::byte* address) {
  std::ifstream smaps("/proc/self/smaps");
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &begin, &end) == 2)
      inside = begin <= at && at < end;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return "";
}

TEST(LockedMemory, KeepsAKeyOutOfSwapAndCoreFilesWhereverItIsMoved) {
  SecretBuffer secret(13'608);
  const auto locked = lock_secret(secret.expose());
  ASSERT_TRUE(locked) << locked.error().message;
  const SecretBuffer moved = std::move(secret);
  for (const std::size_t at : {std::size_t{0}, moved.size() - 1}) {
    const std::string flags = flags_of(moved.expose().data() + at);
    EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
    EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
  }
}

TEST(LockedMemory, SaysWhatToDoWhereItMayNot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{0, 0};
    const SecretBuffer secret(13'608);
    const bool unprivileged =
        ::setrlimit(RLIMIT_MEMLOCK, &none) == 0 && ::setresuid(65534, 65534, 65534) == 0;
    const auto locked = lock_secret(secret.expose());
    const bool said = !locked && locked.error().message.find("ulimit -l") != std::string::npos;
    ::_exit(unprivileged && said ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace trellis::system
