#include "apps/agent/peer_keys.h"

#include "base/hex.h"
#include "crypto/kem.h"
#include "protocol/rosenpass/key.h"
#include "system/temporary_folder_test.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace trellis::apps {
namespace {

/// A key of deployed Rosenpass, as far as its size tells.
struct Key {
  explicit Key(std::uint8_t seed)
      : bytes(crypto::find_suite(1)->static_kem->sizes().public_key, std::byte{seed}),
        name{1, rosenpass::peer_hash(bytes)} {}
  ByteVector bytes;
  pair::KeyName name;
};

/// Of the mapping that begins with these bytes; nothing if the kernel does not show it.
std::optional<unsigned long> resident_kib(ByteView bytes) {
  std::ifstream smaps("/proc/self/smaps");
  const std::string start = fmt::format("{:x}-", reinterpret_cast<std::uintptr_t>(bytes.data()));
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    inside = inside || line.starts_with(start);
    if (inside && line.starts_with("Rss:")) return std::stoul(line.substr(4));
  }
  return std::nullopt;
}

class PeerKeysTest : public ::testing::Test {
 protected:
  std::unique_ptr<PeerKeys> open() { return PeerKeys::open(path_).value(); }
  std::string file_of(const Key& key) const {
    return path_ + "/1-" + to_hex(key.name.pid.bytes) + ".pub";
  }
  static bool same(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

  system::TemporaryFolder folder_;
  std::string path_ = folder_.file("peer-keys");
  Key alice_{1};
  Key bob_{2};
};

TEST_F(PeerKeysTest, WhatWasPutIsThereAfterARestart) {
  {
    const auto keys = open();
    EXPECT_TRUE(keys->find(alice_.name).empty());
    ASSERT_TRUE(keys->put(alice_.name, alice_.bytes));
    EXPECT_TRUE(same(keys->find(alice_.name), alice_.bytes));
  }
  const auto keys = open();
  EXPECT_TRUE(same(keys->find(alice_.name), alice_.bytes));
  EXPECT_TRUE(keys->find(bob_.name).empty());
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(PeerKeysTest, TheBytesStayWhereTheyAreUntilTheyAreNotUsed) {
  const auto keys = open();
  ASSERT_TRUE(keys->put(alice_.name, alice_.bytes));
  const ByteView view = keys->find(alice_.name);
  ASSERT_TRUE(keys->put(bob_.name, bob_.bytes));
  keys->let_go(alice_.name);
  keys->keep({alice_.name}, {alice_.name, bob_.name});
  EXPECT_EQ(keys->find(alice_.name).data(), view.data());
  EXPECT_TRUE(same(view, alice_.bytes));
  EXPECT_TRUE(same(keys->find(bob_.name), bob_.bytes)) << "mapped anew";
}

TEST_F(PeerKeysTest, AKeyThatNobodyNeedsStaysForAWhile) {
  const auto keys = open();
  ASSERT_TRUE(keys->put(alice_.name, alice_.bytes));
  keys->keep({}, {});
  EXPECT_TRUE(same(keys->find(alice_.name), alice_.bytes));
}

TEST_F(PeerKeysTest, TheDigestsAreMadeOnce) {
  const auto expected = rosenpass::make_digests(alice_.bytes, rosenpass::Version::V02);
  {
    const auto keys = open();
    EXPECT_FALSE(keys->digests(alice_.name));
    ASSERT_TRUE(keys->put(alice_.name, alice_.bytes));
    EXPECT_EQ(keys->digests(alice_.name), expected);
  }
  {
    const auto keys = open();
    ASSERT_FALSE(keys->find(alice_.name).empty());
    EXPECT_EQ(keys->digests(alice_.name), expected);
  }
  const DigestCache kept = load_digests(path_ + "/digests");
  const auto file = system::MappedFile::open(file_of(alice_), alice_.bytes.size());
  ASSERT_TRUE(file);
  EXPECT_EQ(kept.find({file->stamp(), rosenpass::Version::V02}), expected);
}

TEST_F(PeerKeysTest, TheBeginningOfAKeyIsThereAfterARestart) {
  const ByteView bytes = alice_.bytes;
  {
    const auto keys = open();
    EXPECT_TRUE(keys->part(alice_.name).empty());
    keys->append_part(alice_.name, 0, bytes.first(32768));
    keys->append_part(alice_.name, 32768, bytes.subspan(32768, 1000));
  }
  const auto keys = open();
  keys->keep({}, {alice_.name});
  EXPECT_TRUE(same(keys->part(alice_.name), bytes.first(33768)));
  EXPECT_TRUE(keys->find(alice_.name).empty());
  keys->append_part(alice_.name, 0, {});
  EXPECT_TRUE(keys->part(alice_.name).empty());
  keys->append_part(alice_.name, 0, bytes.first(100));
  ASSERT_TRUE(keys->put(alice_.name, bytes));
  EXPECT_TRUE(keys->part(alice_.name).empty());
}

TEST_F(PeerKeysTest, WhatGrewBeyondAKeyIsNoBeginning) {
  const auto keys = open();
  keys->append_part(alice_.name, 0, ByteVector(alice_.bytes.size() + 1));
  EXPECT_TRUE(keys->part(alice_.name).empty());
}

TEST_F(PeerKeysTest, OfManyIdleKeysNoneStaysInMemory) {
  const auto keys = open();
  std::vector<Key> all;
  std::set<pair::KeyName> names;
  for (std::uint8_t seed = 10; seed < 40; ++seed) {
    all.emplace_back(seed);
    names.insert(all.back().name);
    ASSERT_TRUE(keys->put(all.back().name, all.back().bytes));
  }
  keys->keep(names, names);
  if (!resident_kib(keys->find(all[0].name))) {
    GTEST_SKIP() << "the kernel does not show what a mapping has in memory";
  }
  for (const Key& key : all) {
    const ByteView bytes = keys->find(key.name);
    EXPECT_EQ(resident_kib(bytes), 0U) << "after it was put";
    EXPECT_TRUE(same(bytes, key.bytes));
    EXPECT_GT(resident_kib(bytes), 400U) << "after it was read";
    keys->let_go(key.name);
    EXPECT_EQ(resident_kib(bytes), 0U) << "after it was let go";
  }
}

TEST_F(PeerKeysTest, AFileThatIsNotTheKeyOfItsNameIsRemoved) {
  struct Case {
    const char* name;
    ByteVector bytes;
  };
  ByteVector changed = alice_.bytes;
  changed.back() ^= std::byte{1};
  const Case cases[] = {{"changed", changed},
                        {"cut", ByteVector(1000, std::byte{1})},
                        {"empty", {}},
                        {"another one", bob_.bytes}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto keys = open();
    std::ofstream(file_of(alice_), std::ios::binary)
        .write(reinterpret_cast<const char*>(c.bytes.data()),
               static_cast<std::streamsize>(c.bytes.size()));
    EXPECT_TRUE(keys->find(alice_.name).empty());
    EXPECT_FALSE(std::ifstream(file_of(alice_)).good());
    ASSERT_TRUE(keys->put(alice_.name, alice_.bytes));
    EXPECT_TRUE(same(keys->find(alice_.name), alice_.bytes));
    keys->keep({}, {});
    std::filesystem::remove(file_of(alice_));
  }
}

TEST_F(PeerKeysTest, FilesOfOthersInTheFolderStay) {
  const auto keys = open();
  std::ofstream(path_ + "/README") << "mine";
  ASSERT_TRUE(keys->put(alice_.name, alice_.bytes));
  UnneededFiles files(path_, {".pub"});
  const auto days = [](std::int64_t n) { return WallTime{n * 86400 * 1'000'000'000}; };
  files.sweep(days(0), {});
  files.sweep(days(31), {});
  EXPECT_TRUE(std::ifstream(path_ + "/README").good());
  EXPECT_FALSE(std::ifstream(file_of(alice_)).good());
}

TEST_F(PeerKeysTest, AFolderThatCannotBeIsAnError) {
  std::ofstream(path_) << "a file";
  EXPECT_FALSE(PeerKeys::open(path_));
}

}  // namespace
}  // namespace trellis::apps
