#include "apps/agent/peer_keys.h"

#include "base/hex.h"
#include "crypto/kem.h"
#include "protocol/rosenpass/key.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

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

class PeerKeysTest : public ::testing::Test {
 protected:
  PeerKeys open() { return PeerKeys::open(path_).value(); }
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
    PeerKeys keys = open();
    EXPECT_TRUE(keys.find(alice_.name).empty());
    ASSERT_TRUE(keys.put(alice_.name, alice_.bytes));
    EXPECT_TRUE(same(keys.find(alice_.name), alice_.bytes));
  }
  PeerKeys keys = open();
  EXPECT_TRUE(same(keys.find(alice_.name), alice_.bytes));
  EXPECT_TRUE(keys.find(bob_.name).empty());
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(PeerKeysTest, TheBytesStayWhereTheyAreUntilTheyAreNotKept) {
  PeerKeys keys = open();
  ASSERT_TRUE(keys.put(alice_.name, alice_.bytes));
  const ByteView view = keys.find(alice_.name);
  ASSERT_TRUE(keys.put(bob_.name, bob_.bytes));
  keys.keep({alice_.name});
  EXPECT_EQ(keys.find(alice_.name).data(), view.data());
  EXPECT_TRUE(same(view, alice_.bytes));
  EXPECT_TRUE(keys.find(bob_.name).empty());
  EXPECT_FALSE(std::ifstream(file_of(bob_)).good());
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
    PeerKeys keys = open();
    std::ofstream(file_of(alice_), std::ios::binary)
        .write(reinterpret_cast<const char*>(c.bytes.data()),
               static_cast<std::streamsize>(c.bytes.size()));
    EXPECT_TRUE(keys.find(alice_.name).empty());
    EXPECT_FALSE(std::ifstream(file_of(alice_)).good());
    ASSERT_TRUE(keys.put(alice_.name, alice_.bytes));
    EXPECT_TRUE(same(keys.find(alice_.name), alice_.bytes));
    keys.keep({});
  }
}

TEST_F(PeerKeysTest, FilesOfOthersInTheFolderStay) {
  PeerKeys keys = open();
  std::ofstream(path_ + "/README") << "mine";
  ASSERT_TRUE(keys.put(alice_.name, alice_.bytes));
  keys.keep({});
  EXPECT_EQ(folder_.entries(), 1U);
  EXPECT_TRUE(std::ifstream(path_ + "/README").good());
  EXPECT_FALSE(std::ifstream(file_of(alice_)).good());
}

TEST_F(PeerKeysTest, AFolderThatCannotBeIsAnError) {
  std::ofstream(path_) << "a file";
  EXPECT_FALSE(PeerKeys::open(path_));
}

}  // namespace
}  // namespace trellis::apps
