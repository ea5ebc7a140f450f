#include "system/program.h"

#include "system/secure_file.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace trellis::system {
namespace {

TEST(Program, IsFoundBesideTheRunningOneAndThenInPath) {
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  const auto beside = find_program(self.filename().string());
  ASSERT_TRUE(beside) << beside.error().message;
  EXPECT_EQ(*beside, self.string());
  const auto in_path = find_program("sh");
  ASSERT_TRUE(in_path) << in_path.error().message;
  EXPECT_TRUE(in_path->ends_with("/sh")) << *in_path;
  EXPECT_FALSE(find_program("trellis-no-such-program"));
}

TEST(Program, ReturnsTheExitStatusOrTheSignal) {
  EXPECT_EQ(run_program({"sh", "-c", "exit 7"}).value(), 7);
  EXPECT_EQ(run_program({"sh", "-c", "kill -TERM $$"}).value(), 128 + SIGTERM);
  EXPECT_EQ(run_program({"sh", "-c", "read line"}).value(), 1);  // there is nothing to read
  EXPECT_FALSE(run_program({"/no/such/program"}));
}

TEST(Program, DoesNotInheritBlockedOrIgnoredSignals) {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
  const auto ignored = ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(run_program({"sh", "-c", "kill -TERM $$; exit 3"}).value(), 128 + SIGTERM);
  EXPECT_EQ(run_program({"sh", "-c", "kill -PIPE $$; exit 3"}).value(), 128 + SIGPIPE);
  ::signal(SIGPIPE, ignored);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(Program, SaysWhatIsWrongInAFileThatGrows) {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/log";
  EXPECT_EQ(run_program({"sh", "-c", "echo one >&2"}, file).value(), 0);
  EXPECT_EQ(run_program({"sh", "-c", "echo two >&2; echo three"}, file).value(), 0);
  const auto content = read_file(file, 100);
  ASSERT_TRUE(content);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(content->data()), content->size()),
            "one\ntwo\n");
  EXPECT_FALSE(run_program({"sh", "-c", "exit 0"}, folder.path() + "/none/log"));
}

}  // namespace
}  // namespace trellis::system
