#include "system/store/key_folder.h"

#include "base/hex.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace trellis::system {
namespace {

const server::KeyName kName{std::byte{1}, std::byte{0xab}};
const server::KeyName kOther{std::byte{1}, std::byte{0xcd}};

ByteVector piece_of(std::size_t size, std::uint8_t seed) {
  ByteVector bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(seed++);
  return bytes;
}

class KeyFolderTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  std::string path_ = folder_.file("keys");
  KeyFolder keys_ = KeyFolder::open(path_).value();
};

TEST_F(KeyFolderTest, AKeyGrowsIsCompletedAndRead) {
  EXPECT_EQ(keys_.size(kName), 0U);
  ByteVector all;
  for (std::uint8_t i = 0; i < 4; ++i) {
    const ByteVector piece = piece_of(10'000, i);
    ASSERT_TRUE(keys_.append(kName, static_cast<std::uint32_t>(all.size()), piece));
    append(all, piece);
  }
  EXPECT_EQ(keys_.size(kName), all.size());
  EXPECT_FALSE(keys_.is_complete(kName));
  EXPECT_EQ(keys_.read(kName, 0, 100'000).value(), all);  // for its hash
  ASSERT_TRUE(keys_.complete(kName));
  EXPECT_TRUE(keys_.complete(kName));
  EXPECT_TRUE(keys_.is_complete(kName));
  EXPECT_EQ(keys_.size(kName), all.size());
  EXPECT_EQ(keys_.read(kName, 39'990, 100).value(), to_vector(ByteView(all).subspan(39'990)));
  EXPECT_EQ(keys_.read(kName, 50'000, 100).value().size(), 0U);
  EXPECT_FALSE(keys_.is_complete(kOther));
}

TEST_F(KeyFolderTest, AnUploadGoesOnAfterARestart) {
  ASSERT_TRUE(keys_.append(kName, 0, piece_of(1000, 1)));
  KeyFolder again = KeyFolder::open(path_).value();
  EXPECT_EQ(again.size(kName), 1000U);
  EXPECT_TRUE(again.append(kName, 1000, piece_of(24, 2)));
  EXPECT_TRUE(again.complete(kName));
}

TEST_F(KeyFolderTest, PiecesOutOfPlaceAreRefused) {
  EXPECT_FALSE(keys_.append(kName, 1, piece_of(10, 1)));
  ASSERT_TRUE(keys_.append(kName, 0, piece_of(10, 1)));
  EXPECT_FALSE(keys_.append(kName, 0, piece_of(10, 1)));
  EXPECT_FALSE(keys_.append(kName, 11, piece_of(10, 1)));
  EXPECT_EQ(keys_.size(kName), 10U);
  ASSERT_TRUE(keys_.complete(kName));
  EXPECT_FALSE(keys_.append(kName, 10, piece_of(10, 1)));
  EXPECT_FALSE(keys_.complete(kOther));
  EXPECT_FALSE(keys_.read(kOther, 0, 10));
}

TEST_F(KeyFolderTest, RemovedKeysLeaveNothing) {
  ASSERT_TRUE(keys_.append(kName, 0, piece_of(10, 1)));
  ASSERT_TRUE(keys_.append(kOther, 0, piece_of(10, 1)));
  ASSERT_TRUE(keys_.complete(kOther));
  EXPECT_TRUE(keys_.remove(kName));
  EXPECT_TRUE(keys_.remove(kOther));
  EXPECT_TRUE(keys_.remove(kOther));
  EXPECT_TRUE(std::filesystem::is_empty(path_));
}

TEST_F(KeyFolderTest, APieceThatDoesNotFitLeavesNoHalf) {
  ASSERT_TRUE(keys_.append(kName, 0, piece_of(1000, 1)));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1500, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto failed = keys_.append(kName, 1000, piece_of(1000, 2));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old);
  EXPECT_FALSE(failed);
  EXPECT_EQ(keys_.size(kName), 1000U);
  EXPECT_TRUE(keys_.append(kName, 1000, piece_of(1000, 2)));
}

TEST_F(KeyFolderTest, LinksAreNotFollowed) {
  const std::string outside = folder_.file("outside");
  std::filesystem::create_symlink(outside, path_ + "/" + to_hex(kName) + ".part");
  EXPECT_FALSE(keys_.append(kName, 0, piece_of(10, 1)));
  EXPECT_FALSE(std::filesystem::exists(outside));
}

TEST_F(KeyFolderTest, KeepsWhatIsNamedAndWhatIsNoKey) {
  const server::KeyName third{std::byte{2}};
  for (const auto& name : {kName, kOther, third})
    ASSERT_TRUE(keys_.append(name, 0, piece_of(10, 1)));
  ASSERT_TRUE(keys_.complete(kName));
  ASSERT_TRUE(keys_.complete(kOther));
  const std::string others[] = {"/README", "/abcd", "/" + std::string(66, 'z')};
  for (const std::string& other : others) std::ofstream(path_ + other) << "mine";
  ASSERT_TRUE(keys_.keep({kName}));
  EXPECT_TRUE(keys_.is_complete(kName));
  EXPECT_EQ(keys_.size(kOther), 0U);
  EXPECT_EQ(keys_.size(third), 0U) << "a part";
  for (const std::string& other : others) EXPECT_TRUE(std::filesystem::exists(path_ + other));
}

}  // namespace
}  // namespace trellis::system
