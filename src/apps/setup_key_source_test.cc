#include "apps/setup_key_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace trellis::apps {
namespace {

/// The tests run in one thread.
void set_environment(const char* key) {
  if (key) {
    ::setenv("TRELLIS_SETUP_KEY", key, 1);  // NOLINT(concurrency-mt-unsafe)
  } else {
    ::unsetenv("TRELLIS_SETUP_KEY");  // NOLINT(concurrency-mt-unsafe)
  }
}

constexpr const char* kKey = "A2C4E6F8-0123-4567-89AB-CDEF01234567";

/// Each test with a folder, and an environment without a key.
class SetupKey : public ::testing::Test {
 protected:
  SetupKey() : folder_(std::filesystem::temp_directory_path() / "trellis-setup-key-XXXXXX") {
    std::string path = folder_.string();
    CHECK(::mkdtemp(path.data()) != nullptr);
    folder_ = path;
    set_environment(nullptr);
  }
  SetupKey(const SetupKey&) = delete;
  SetupKey& operator=(const SetupKey&) = delete;
  ~SetupKey() override {
    set_environment(nullptr);
    std::filesystem::remove_all(folder_);
  }

  /// The request for a file with this content.
  MeshRequest in_file(const std::string& content, mode_t mode = 0600) {
    const std::string path = folder_ / "key";
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
    MeshRequest request;
    request.setup_key_file = path;
    return request;
  }

 private:
  std::filesystem::path folder_;
};

std::string text(const FoundSetupKey& found) {
  if (!found.text) return {};
  const ByteView bytes = found.text->expose();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(SetupKey, IsReadFromAFileWithoutTheWhitespaceAroundIt) {
  for (const std::string& content : {std::string(kKey), std::string("\t ") + kKey + " \r\n\n"}) {
    const auto found = find_setup_key(in_file(content));
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(text(*found), kKey);
    EXPECT_TRUE(found->warnings.empty());
  }
}

TEST_F(SetupKey, WarnsOfAFileThatOthersMayRead) {
  const auto found = find_setup_key(in_file(kKey, 0644));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->warnings.size(), 1u);
  EXPECT_NE(found->warnings[0].find("chmod 600"), std::string::npos);
}

TEST_F(SetupKey, IsRefusedWhereItLooksLikeNoneAndNeverRepeated) {
  const std::string too_long(257, 'a');
  for (const std::string& content :
       {std::string(), std::string(" \n"), std::string("two words"), std::string("kéy"), too_long,
        std::string(100'000, 'x'), std::string("a\0b", 3)}) {
    const auto found = find_setup_key(in_file(content));
    ASSERT_FALSE(found) << content;
    EXPECT_NE(found.error().message.find("setup key"), std::string::npos);
    EXPECT_EQ(found.error().message.find("two words"), std::string::npos);
  }
  MeshRequest missing;
  missing.setup_key_file = "/no/such/file";
  const auto found = find_setup_key(missing);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("/no/such/file"), std::string::npos);
}

TEST_F(SetupKey, OnTheCommandLineWorksWithAWarning) {
  MeshRequest request;
  request.setup_key = kKey;
  const auto found = find_setup_key(request);
  ASSERT_TRUE(found);
  EXPECT_EQ(text(*found), kKey);
  ASSERT_EQ(found->warnings.size(), 1u);
  EXPECT_NE(found->warnings[0].find("--setup-key-file"), std::string::npos);
}

TEST_F(SetupKey, ComesFromTheEnvironmentUnlessOneIsNamed) {
  EXPECT_FALSE(find_setup_key({})->text);
  set_environment("FROM-THE-ENVIRONMENT");
  EXPECT_EQ(text(*find_setup_key({})), "FROM-THE-ENVIRONMENT");
  EXPECT_EQ(text(*find_setup_key(in_file(kKey))), kKey);
  set_environment("");
  EXPECT_FALSE(find_setup_key({})->text);
}

}  // namespace
}  // namespace trellis::apps
