#include "apps/digest_cache.h"

#include "testing/random.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace trellis::apps {
namespace {

namespace fs = std::filesystem;

rosenpass::KeyDigests some_digests(std::uint64_t seed) {
  testing::SeededRandom random(seed);
  return {{random.bytes<32>()}, random.bytes<32>(), random.bytes<32>(), random.bytes<32>()};
}

DigestCache::Key some_key(std::uint64_t inode) {
  return {{.device = 1, .inode = inode, .size = 524160, .modified = -5, .changed = 7},
          rosenpass::Version::V03};
}

TEST(DigestCache, IsWrittenAndReadAgain) {
  DigestCache cache;
  cache.put(some_key(1), some_digests(1));
  cache.put(some_key(2), some_digests(2));
  const DigestCache again = DigestCache::parse(cache.text());
  EXPECT_EQ(again, cache);
  EXPECT_EQ(again.find(some_key(2)), some_digests(2));
  DigestCache::Key other = some_key(2);
  other.second = rosenpass::Version::V02;
  EXPECT_FALSE(again.find(other)) << "each version has its own";
  other = some_key(2);
  ++other.first.modified;
  EXPECT_FALSE(again.find(other)) << "the file was changed";
}

TEST(DigestCache, SkipsWhatItCannotRead) {
  DigestCache cache;
  cache.put(some_key(1), some_digests(1));
  const std::string line = cache.text();
  EXPECT_EQ(DigestCache::parse("\n\nnonsense\n" + line + line.substr(1, 40) + "\n"), cache);
  for (const std::string& wrong : {"x" + line, line.substr(0, line.size() - 2) + "\n",
                                   line.substr(0, line.size() - 1) + " 1\n", "-" + line}) {
    EXPECT_EQ(DigestCache::parse(wrong), DigestCache()) << wrong;
  }
}

TEST(DigestCache, IsTakenFromAFolderOfOursAlone) {
  std::string name = (fs::temp_directory_path() / "trellis-cache-XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const std::string folder = name + "/a/b";
  const std::string file = folder + "/digests";
  EXPECT_EQ(load_digests(file), DigestCache());
  EXPECT_FALSE(fs::exists(folder)) << "reading makes nothing";
  DigestCache cache;
  cache.put(some_key(1), some_digests(1));
  save_digests(file, cache);
  EXPECT_EQ(load_digests(file), cache);
  EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  fs::permissions(folder, fs::perms::others_exec, fs::perm_options::add);
  EXPECT_EQ(load_digests(file), DigestCache()) << "others may enter it";
  fs::remove_all(name);
}

}  // namespace
}  // namespace trellis::apps
