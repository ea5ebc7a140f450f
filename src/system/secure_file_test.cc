#include "system/secure_file.h"

#include "system/mapped_file.h"
#include "system/state_folder.h"
#include "system/temporary_folder_test.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

namespace trellis::system {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat info{};
  CHECK(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

std::string text_of(const std::string& path) {
  const ByteVector bytes = read_file(path, 1 << 20).value();
  std::string text;
  for (const std::byte b : bytes) text += static_cast<char>(b);
  return text;
}

bool contains(const Error& error, std::string_view part) {
  return error.message.find(part) != std::string::npos;
}

TEST(SecureFile, SecretsAreForTheirOwnerOnlyWhateverTheUmask) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key");
  const mode_t before = ::umask(0);
  EXPECT_TRUE(write_secret_file(path, as_bytes("secret")));
  EXPECT_TRUE(write_file_atomically(folder.file("public"), as_bytes("public"), 0644));
  ::umask(before);
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(mode_of(folder.file("public")), 0644u);
  const auto secret = read_secret_file(path, 100);
  ASSERT_TRUE(secret);
  EXPECT_EQ(to_vector(secret->expose()), to_vector(as_bytes("secret")));
  EXPECT_EQ(folder.entries(), 2u);
}

TEST(SecureFile, AnOldFileIsReplacedAtOnce) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state");
  ASSERT_TRUE(write_secret_file(path, as_bytes("old")));
  const Descriptor reader(::open(path.c_str(), O_RDONLY));
  ASSERT_TRUE(write_secret_file(path, as_bytes("new")));
  EXPECT_EQ(text_of(path), "new");
  std::array<char, 8> buffer{};
  EXPECT_EQ(::read(reader.get(), buffer.data(), buffer.size()), 3);  // who reads, reads on
  EXPECT_STREQ(buffer.data(), "old");
}

TEST(SecureFile, AFullDiskLeavesTheOldFileAndNothingElse) {
  const TemporaryFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "needs root: no small file system could be mounted";
  }
  const std::string path = folder.file("state");
  EXPECT_TRUE(write_secret_file(path, as_bytes("old")));
  const ByteVector large(200'000, std::byte{'x'});
  for (const auto& written :
       {write_secret_file(path, large), create_file(folder.file("new"), large, 0644)}) {
    ASSERT_FALSE(written);
    EXPECT_TRUE(contains(written.error(), "the disk is full")) << written.error().message;
  }
  EXPECT_EQ(text_of(path), "old");
  EXPECT_EQ(folder.entries(), 1u);
  EXPECT_EQ(::umount(folder.path().c_str()), 0);
}

TEST(SecureFile, OpenSecretsAreRefusedWithTheRemedy) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key");
  ASSERT_TRUE(write_secret_file(path, as_bytes("secret")));
  for (const mode_t mode : {0640u, 0604u, 0620u, 0666u}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto secret = read_secret_file(path, 100);
    ASSERT_FALSE(secret) << mode;
    EXPECT_TRUE(contains(secret.error(), "chmod 600 " + path)) << secret.error().message;
  }
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  EXPECT_TRUE(read_secret_file(path, 100));
}

TEST(SecureFile, WhatIsNoOrdinaryFileIsRefused) {
  const TemporaryFolder folder;
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, folder.path()}) {
    const auto file = read_file(path, 100);  // and does not wait for a writer
    ASSERT_FALSE(file);
    EXPECT_TRUE(contains(file.error(), path)) << file.error().message;
  }
  const auto missing = read_secret_file(folder.file("missing"), 100);
  ASSERT_FALSE(missing);
  EXPECT_TRUE(contains(missing.error(), "there is no file"));
}

TEST(SecureFile, SizesAreBounded) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key");
  ASSERT_TRUE(write_secret_file(path, ByteVector(33)));
  EXPECT_TRUE(read_secret_file(path, 33));
  const auto long_file = read_secret_file(path, 32);
  ASSERT_FALSE(long_file);
  EXPECT_TRUE(contains(long_file.error(), "33 bytes")) << long_file.error().message;
}

TEST(SecureFile, CreateNeverReplaces) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key");
  ASSERT_TRUE(create_file(path, as_bytes("first"), 0600));
  const auto second = create_file(path, as_bytes("second"), 0600);
  ASSERT_FALSE(second);
  EXPECT_TRUE(contains(second.error(), "exists already"));
  EXPECT_EQ(text_of(path), "first");
  EXPECT_EQ(folder.entries(), 1u);
  EXPECT_TRUE(remove_file(path));
  EXPECT_TRUE(remove_file(path));
  EXPECT_FALSE(file_exists(path));
}

TEST(SecureFile, AMissingFolderIsNamed) {
  const auto written = write_secret_file("/nonexistent-folder/key", as_bytes("x"));
  ASSERT_FALSE(written);
  EXPECT_TRUE(contains(written.error(), "no folder /nonexistent-folder"))
      << written.error().message;
}

TEST(StateFolder, OneProcessAtATimeAndTheOtherIsNamed) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a/b/state");
  {
    const auto first = StateFolder::open(path);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(mode_of(path), 0700u);
    EXPECT_EQ(first->file("key"), path + "/key");
    const auto second = StateFolder::open(path);
    ASSERT_FALSE(second);
    EXPECT_TRUE(contains(second.error(), "process " + std::to_string(::getpid())))
        << second.error().message;
  }
  EXPECT_TRUE(StateFolder::open(path));  // free again
}

TEST(StateFolder, AKilledProcessLeavesNoLock) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state");
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = StateFolder::open(path);
    static_cast<void>(::write(ends[1], held ? "y" : "n", 1) == 1);
    ::pause();
    ::_exit(0);
  }
  char ready = 0;
  ASSERT_EQ(::read(ends[0], &ready, 1), 1);
  EXPECT_EQ(ready, 'y');
  const auto refused = StateFolder::open(path);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(contains(refused.error(), "process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(StateFolder::open(path));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(StateFolder, AnOpenFolderIsRefusedWithTheRemedy) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state");
  ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  const auto state = StateFolder::open(path);
  ASSERT_FALSE(state);
  EXPECT_TRUE(contains(state.error(), "chmod 700 " + path)) << state.error().message;
}

TEST(MappedFile, ShowsTheFileAndItsOwnCopyWhenReplaced) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key");
  ByteVector content(524'160);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::byte>(i * 7);
  ASSERT_TRUE(write_file_atomically(path, content, 0644));
  auto mapped = MappedFile::open(path, content.size());
  ASSERT_TRUE(mapped) << mapped.error().message;
  EXPECT_EQ(to_vector(mapped->bytes()), content);
  ASSERT_TRUE(write_file_atomically(path, as_bytes("short"), 0644));
  EXPECT_TRUE(mapped->intact());
  const MappedFile moved = *std::move(mapped);
  EXPECT_EQ(to_vector(moved.bytes()), content);
}

TEST(MappedFile, AWrongSizeNamesBothSizes) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key");
  ASSERT_TRUE(write_file_atomically(path, ByteVector(1234), 0644));
  const auto mapped = MappedFile::open(path, 5678);
  ASSERT_FALSE(mapped);
  EXPECT_TRUE(contains(mapped.error(), "1234"));
  EXPECT_TRUE(contains(mapped.error(), "5678"));
}

TEST(MappedFile, TruncationIsNoticedAndFilesOfOthersAreRefused) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key");
  ASSERT_TRUE(write_file_atomically(path, ByteVector(8192), 0644));
  const auto mapped = MappedFile::open(path, 8192);
  ASSERT_TRUE(mapped);
  EXPECT_TRUE(mapped->intact());
  ASSERT_EQ(::truncate(path.c_str(), 10), 0);
  EXPECT_FALSE(mapped->intact());

  ASSERT_TRUE(write_file_atomically(path, ByteVector(8192), 0664));
  const auto writable = MappedFile::open(path, 8192);
  ASSERT_FALSE(writable);
  EXPECT_TRUE(contains(writable.error(), "chmod go-w")) << writable.error().message;
}

}  // namespace
}  // namespace trellis::system
