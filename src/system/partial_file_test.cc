#include "system/partial_file.h"

#include "system/secure_file.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis::system {
namespace {

class PartialFile : public ::testing::Test {
 protected:
  std::string content() const {
    const auto bytes = read_file(path_, 1000).value();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("key.part");
};

TEST_F(PartialFile, GrowsByPiecesAndIsForItsOwnerOnly) {
  ASSERT_TRUE(write_part(path_, 0, as_bytes("one ")));
  ASSERT_TRUE(write_part(path_, 4, as_bytes("two")));
  EXPECT_EQ(content(), "one two");
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(PartialFile, ForgetsWhatIsBehindAPiece) {
  ASSERT_TRUE(write_part(path_, 0, as_bytes("one two three")));
  ASSERT_TRUE(write_part(path_, 4, as_bytes("2")));
  EXPECT_EQ(content(), "one 2");
  ASSERT_TRUE(write_part(path_, 0, {}));
  EXPECT_EQ(content(), "");
}

TEST_F(PartialFile, IsGoneWhereAPieceDoesNotFit) {
  ASSERT_TRUE(write_part(path_, 0, as_bytes("one")));
  EXPECT_FALSE(write_part(path_, 4, as_bytes("two")));
  EXPECT_FALSE(file_exists(path_));
  EXPECT_FALSE(write_part(folder_.file("none/key.part"), 0, as_bytes("one")));
}

TEST_F(PartialFile, FollowsNoLink) {
  const std::string target = folder_.file("target");
  ASSERT_TRUE(write_file_atomically(target, as_bytes("mine"), 0600));
  ASSERT_EQ(::symlink(target.c_str(), path_.c_str()), 0);
  EXPECT_FALSE(write_part(path_, 0, as_bytes("theirs")));
  EXPECT_EQ(read_file(target, 100).value().size(), 4U);
}

}  // namespace
}  // namespace trellis::system
