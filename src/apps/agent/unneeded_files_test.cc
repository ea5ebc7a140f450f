#include "apps/agent/unneeded_files.h"

#include "system/secure_file.h"
#include "system/temporary_folder_test.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

class UnneededFilesTest : public ::testing::Test {
 protected:
  std::string make(const std::string& name) {
    const std::string path = folder_.file(name);
    EXPECT_TRUE(system::write_file_atomically(path, as_bytes(name), 0600));
    return path;
  }
  static WallTime day(int number) {
    return {(std::int64_t{20'000} + number) * 86'400 * 1'000'000'000};
  }
  UnneededFiles open() { return UnneededFiles(folder_.path(), {".pub", ".part"}); }

  system::TemporaryFolder folder_;
};

TEST_F(UnneededFilesTest, AMonthAfterTheLastUseTheyAreRemoved) {
  const std::string alice = make("alice.pub");
  const std::string bob = make("bob.part");
  UnneededFiles files = open();
  files.sweep(day(0), {alice, bob});
  files.sweep(day(100), {alice});
  files.sweep(day(129), {alice});
  EXPECT_TRUE(system::file_exists(bob));
  files.sweep(day(130), {alice});
  EXPECT_FALSE(system::file_exists(bob));
  EXPECT_TRUE(system::file_exists(alice)) << "a peer needs it";
}

TEST_F(UnneededFilesTest, TheTimeRunsOnWhileNobodyLooks) {
  const std::string alice = make("alice.pub");
  open().sweep(day(0), {});
  open().sweep(day(29), {});
  EXPECT_TRUE(system::file_exists(alice));
  open().sweep(day(30), {});
  EXPECT_FALSE(system::file_exists(alice));
}

TEST_F(UnneededFilesTest, AFileThatIsNeededAgainHasAllItsTimeAgain) {
  const std::string alice = make("alice.pub");
  UnneededFiles files = open();
  files.sweep(day(0), {});
  files.sweep(day(20), {alice});
  files.sweep(day(31), {});
  EXPECT_TRUE(system::file_exists(alice));
  files.sweep(day(60), {});
  EXPECT_TRUE(system::file_exists(alice));
  files.sweep(day(61), {});
  EXPECT_FALSE(system::file_exists(alice));
}

TEST_F(UnneededFilesTest, OfManyTheOldestGoFirst) {
  UnneededFiles files = open();
  constexpr int kMade = static_cast<int>(UnneededFiles::kKeptMax) + 10;
  std::vector<std::string> paths;
  for (int i = 0; i < kMade; ++i) {
    paths.push_back(make(fmt::format("{:03}.pub", kMade - i)));
    files.sweep(WallTime{day(0).nanoseconds_since_epoch + i * 1'000'000'000LL}, {});
  }
  for (int i = 0; i < kMade; ++i) {
    EXPECT_EQ(system::file_exists(paths[static_cast<std::size_t>(i)]), i >= 10) << i;
  }
}

TEST_F(UnneededFilesTest, AClockThatWasAheadKeepsNothingForEver) {
  const std::string alice = make("alice.pub");
  UnneededFiles files = open();
  files.sweep(day(10'000), {});
  files.sweep(day(0), {});
  EXPECT_TRUE(system::file_exists(alice));
  files.sweep(day(30), {});
  EXPECT_FALSE(system::file_exists(alice));
}

TEST_F(UnneededFilesTest, AListThatCannotBeReadCountsFromNowOn) {
  const std::string alice = make("alice.pub");
  for (const char* text :
       {"", "alice.pub", "12", "12 ", "99999999999999999999 alice.pub\n", "\n\n"}) {
    ASSERT_TRUE(system::write_file_atomically(folder_.file("unneeded"), as_bytes(text), 0600));
    UnneededFiles files = open();
    files.sweep(day(0), {});
    EXPECT_TRUE(system::file_exists(alice)) << text;
  }
  UnneededFiles files = open();
  files.sweep(day(30), {});
  EXPECT_FALSE(system::file_exists(alice));
}

TEST_F(UnneededFilesTest, OtherFilesStay) {
  const std::string readme = make("README");
  UnneededFiles files = open();
  files.sweep(day(0), {});
  files.sweep(day(1000), {});
  EXPECT_TRUE(system::file_exists(readme));
}

}  // namespace
}  // namespace trellis::apps
