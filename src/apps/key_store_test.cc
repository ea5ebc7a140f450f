#include "apps/key_store.h"

#include "crypto/kem.h"
#include "system/secure_file.h"
#include "system/temporary_folder_test.h"
#include "testing/random.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace trellis::apps {
namespace {

class KeyStore : public ::testing::Test {
 protected:
  system::StateFolder open() {
    auto folder = system::StateFolder::open(path_);
    EXPECT_TRUE(folder) << folder.error().message;
    return *std::move(folder);
  }
  std::string file(const char* name) const { return temporary_.file(name); }
  mode_t mode(const char* name) const {
    struct stat info{};
    EXPECT_EQ(::stat(file(name).c_str(), &info), 0);
    return info.st_mode & 07777;
  }
  void expect_load_error(const std::string& part) {
    const auto loaded = load_keys(path_, random_);
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().message.find(part), std::string::npos) << loaded.error().message;
  }

  system::TemporaryFolder temporary_;
  const std::string& path_ = temporary_.path();
  testing::SeededRandom random_{1};
};

TEST_F(KeyStore, MakesKeysThatCanBeLoadedAndNeverReplacesThem) {
  const auto folder = open();
  ASSERT_TRUE(create_keys(folder, random_));
  EXPECT_EQ(mode(kWireGuardKeyFile), 0600U);
  EXPECT_EQ(mode(kRosenpassKeyFile), 0600U);
  EXPECT_EQ(mode(kRosenpassPublicFile), 0644U);
  EXPECT_EQ(std::filesystem::file_size(file(kWireGuardKeyFile)), 45U);
  EXPECT_EQ(std::filesystem::file_size(file(kRosenpassKeyFile)), 13608U);
  EXPECT_EQ(std::filesystem::file_size(file(kRosenpassPublicFile)), 524160U);
  const auto loaded = load_keys(path_, random_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->rosenpass_name().suite, 1);

  EXPECT_FALSE(create_keys(folder, random_));
  const auto again = load_keys(path_, random_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->wireguard_public(), loaded->wireguard_public());
  EXPECT_EQ(again->rosenpass_name(), loaded->rosenpass_name());
}

TEST_F(KeyStore, GoesOnWhereAnInterruptedRunStopped) {
  const auto folder = open();
  ASSERT_TRUE(system::write_file_atomically(file(kRosenpassPublicFile), as_bytes("left"), 0644));
  ASSERT_TRUE(create_keys(folder, random_)) << "a public key alone is replaced";
  const auto first = load_keys(path_, random_);
  ASSERT_TRUE(first);
  std::filesystem::remove(file(kWireGuardKeyFile));
  ASSERT_TRUE(create_keys(folder, random_)) << "only the WireGuard key is missing";
  const auto second = load_keys(path_, random_);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->rosenpass_name(), first->rosenpass_name());
  EXPECT_NE(second->wireguard_public(), first->wireguard_public());
}

TEST_F(KeyStore, RefusesASecretKeyThatLostItsPublicKey) {
  const auto folder = open();
  ASSERT_TRUE(system::write_secret_file(file(kRosenpassKeyFile), as_bytes("a secret")));
  EXPECT_FALSE(create_keys(folder, random_));
  EXPECT_FALSE(system::file_exists(file(kWireGuardKeyFile)));
}

TEST_F(KeyStore, SaysWhichFileIsWrong) {
  expect_load_error("trellis keys new");
  const auto folder = open();
  ASSERT_TRUE(create_keys(folder, random_));

  ASSERT_EQ(::chmod(file(kRosenpassKeyFile).c_str(), 0640), 0);
  expect_load_error("chmod 600");
  ASSERT_EQ(::chmod(file(kRosenpassKeyFile).c_str(), 0600), 0);

  const crypto::KemKeyPair other = crypto::suite_rosenpass().static_kem->generate(random_);
  ASSERT_TRUE(system::write_file_atomically(file(kRosenpassPublicFile), other.public_key, 0644));
  expect_load_error("do not belong together");
  std::filesystem::resize_file(file(kRosenpassPublicFile), 524159);
  expect_load_error("524159");

  ASSERT_TRUE(system::write_secret_file(file(kRosenpassKeyFile), as_bytes("short")));
  expect_load_error(kRosenpassKeyFile);
  ASSERT_TRUE(system::write_secret_file(file(kWireGuardKeyFile), as_bytes("no key\n")));
  expect_load_error(kWireGuardKeyFile);
}

}  // namespace
}  // namespace trellis::apps
