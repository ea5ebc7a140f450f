#include "apps/rosenpass/key_files.h"

#include "apps/rosenpass/key_output.h"
#include "apps/rosenpass/wireguard_key.h"
#include "base/hex.h"
#include "system/secure_file.h"
#include "testing/random.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace trellis::rosenpass_program {
namespace {

namespace fs = std::filesystem;

class KeyFiles : public ::testing::Test {
 protected:
  KeyFiles() {
    std::string name = (fs::temp_directory_path() / "trellis-rosenpass-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~KeyFiles() override { fs::remove_all(folder_); }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, std::string_view text, unsigned mode = 0600) const {
    std::ofstream(file(name), std::ios::binary) << text;
    fs::permissions(file(name), static_cast<fs::perms>(mode));
  }
  std::string read(const std::string& name) const {
    std::ifstream in(file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  unsigned mode(const std::string& name) const {
    return static_cast<unsigned>(fs::status(file(name)).permissions());
  }

  fs::path folder_;
  testing::SeededRandom random_{1};
};

TEST_F(KeyFiles, AreMadeInTheFormOfEither) {
  const std::pair<SecretForm, std::size_t> forms[] = {{SecretForm::Rust, 13568},
                                                      {SecretForm::Go, 13608}};
  for (const auto& [form, size] : forms) {
    const KeyPaths paths{file("pk"), file("sk")};
    const auto made = generate_key_files(paths, form, Existing::Overwrite, random_);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(fs::file_size(paths.public_key), 524160U);
    EXPECT_EQ(fs::file_size(paths.secret_key), size);
    EXPECT_EQ(mode("pk"), 0644U);
    EXPECT_EQ(mode("sk"), 0600U);
    const auto loaded = load_own_keys(paths, random_);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->secret_key.size(), 13608U);
    EXPECT_TRUE(loaded->warnings.empty());
  }
}

TEST_F(KeyFiles, AreNotOverwrittenUnasked) {
  write("sk", "precious");
  const auto made =
      generate_key_files({file("pk"), file("sk")}, SecretForm::Rust, Existing::Refuse, random_);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("--force"), std::string::npos);
  EXPECT_EQ(read("sk"), "precious");
  EXPECT_FALSE(fs::exists(file("pk")));
}

TEST_F(KeyFiles, AreRefusedWithTheReason) {
  const KeyPaths paths{file("pk"), file("sk")};
  ASSERT_TRUE(generate_key_files(paths, SecretForm::Rust, Existing::Refuse, random_));
  const auto error_of = [&](const KeyPaths& which) {
    const auto loaded = load_own_keys(which, random_);
    return loaded ? "none" : loaded.error().message;
  };
  EXPECT_EQ(error_of(paths), "none");
  write("short", read("sk").substr(1));
  EXPECT_NE(error_of({paths.public_key, file("short")}).find("13568"), std::string::npos);
  EXPECT_NE(error_of({paths.secret_key, paths.secret_key}).find("524160"), std::string::npos);
  EXPECT_NE(error_of({paths.public_key, file("none")}).find("none"), std::string::npos);
  ASSERT_TRUE(
      generate_key_files({file("pk2"), file("sk2")}, SecretForm::Rust, Existing::Refuse, random_));
  EXPECT_NE(error_of({file("pk2"), paths.secret_key}).find("belong together"), std::string::npos);
  fs::permissions(file("sk"), fs::perms::others_read, fs::perm_options::add);
  const auto loaded = load_own_keys(paths, random_);
  ASSERT_TRUE(loaded) << "stock rosenpass makes such files";
  ASSERT_EQ(loaded->warnings.size(), 1U);
  EXPECT_NE(loaded->warnings[0].find("chmod 600"), std::string::npos);
}

TEST_F(KeyFiles, OfPeersAreRefusedWithTheReason) {
  const KeyPaths paths{file("pk"), file("sk")};
  ASSERT_TRUE(generate_key_files(paths, SecretForm::Rust, Existing::Refuse, random_));
  const std::string key = read("pk");
  const auto error_of = [&](const char* name) {
    const auto loaded = load_public_key(file(name));
    return loaded ? "none" : loaded.error().message;
  };
  EXPECT_EQ(error_of("pk"), "none");
  write("short", key.substr(1));
  EXPECT_NE(error_of("short").find("short has 524159 bytes"), std::string::npos);
  write("long", key + "\n");
  EXPECT_NE(error_of("long").find("long has 524161 bytes"), std::string::npos);
  write("empty", "");
  EXPECT_NE(error_of("empty").find("empty has 0 bytes"), std::string::npos);
  write("shared", key);
  fs::permissions(file("shared"), fs::perms::group_write, fs::perm_options::add);
  EXPECT_NE(error_of("shared").find("chmod go-w"), std::string::npos);
  fs::create_directory(file("folder"));
  EXPECT_NE(error_of("folder").find("not an ordinary file"), std::string::npos);
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  EXPECT_NE(error_of("pipe").find("not an ordinary file"), std::string::npos) << "and nobody waits";
  EXPECT_NE(error_of("absent").find("there is no file"), std::string::npos);
  if (::geteuid() == 0) return;  // who may read all
  write("closed", key);
  fs::permissions(file("closed"), fs::perms::none);
  EXPECT_NE(error_of("closed").find("permission denied"), std::string::npos);
}

TEST_F(KeyFiles, HoldPresharedKeysWithOrWithoutALineFeed) {
  const Bytes<32> psk{std::byte{9}};
  for (const char* end : {"", "\n", "\r\n"}) {
    write("psk", to_base64(psk) + end);
    const auto loaded = load_psk(file("psk"));
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_TRUE(crypto::equal(loaded->expose(), psk));
  }
  write("psk", to_base64(psk) + "x");
  EXPECT_FALSE(load_psk(file("psk")));
}

TEST_F(KeyFiles, GetTheOutputKeyWithoutALineFeed) {
  const rosenpass::OutputKey key(Bytes<32>{std::byte{7}});
  write("osk", std::string(100, 'x'), 0640);
  ASSERT_TRUE(write_key_file(file("osk"), key));
  EXPECT_EQ(read("osk"), to_base64(key.expose()));
  EXPECT_EQ(mode("osk"), 0640U) << "it was made by somebody who wants it so";
  ASSERT_TRUE(write_key_file(file("new"), key));
  EXPECT_EQ(mode("new"), 0600U);
  EXPECT_FALSE(write_key_file(file("none/osk"), key));
}

TEST(OutputLine, IsTheOneOfRosenpass) {
  const rosenpass::PeerHash pid{Bytes<32>{}};
  const std::string zeros = std::string(43, 'A') + "=";
  EXPECT_EQ(output_line(pid, "/tmp/a \"b\"\\\n\x01", KeyReason::Exchanged),
            "output-key peer " + zeros + R"( key-file "/tmp/a \"b\"\\\n\u{1}" exchanged)");
  EXPECT_EQ(output_line(pid, "k", KeyReason::Stale),
            "output-key peer " + zeros + R"( key-file "k" stale)");
}

TEST(WireGuardKey, IsSetWithWhatFollowsIt) {
  const rosenpass::OutputKey key(Bytes<32>{std::byte{0xab}});
  WireGuardTarget target{"wg0", crypto::PublicKey{{std::byte{1}}}, {}};
  const std::string begin = "set=1\npublic_key=01" + std::string(62, '0') + "\npreshared_key=ab" +
                            std::string(62, '0') + "\n";
  EXPECT_EQ(control_request(target, key), begin);
  target.extra = {"allowed-ips", "10.0.0.1,fd00::/64", "persistent-keepalive",
                  "off",         "endpoint",           "192.0.2.1:5"};
  EXPECT_EQ(control_request(target, key),
            begin +
                "replace_allowed_ips=true\nallowed_ip=10.0.0.1/32\nallowed_ip=fd00::/64\n"
                "persistent_keepalive_interval=0\nendpoint=192.0.2.1:5\n");
  // What only wg(8) understands is left to it.
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"endpoint", "example.org:5"},
        {"allowed-ips", "x"},
        {"remove"},
        {"persistent-keepalive", "-1"},
        {"frob", "1"}}) {
    target.extra = words;
    EXPECT_FALSE(control_request(target, key)) << words[0];
  }
}

TEST_F(KeyFiles, ArePipedIntoACommand) {
  const rosenpass::OutputKey key(Bytes<32>{std::byte{3}});
  ASSERT_TRUE(run_key_command({"sh", "-c", "cat > " + file("got")}, key));
  EXPECT_EQ(read("got"), to_base64(key.expose()) + "\n");
  const auto failed = run_key_command({"sh", "-c", "exit 3"}, key);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("status 3"), std::string::npos);
  EXPECT_FALSE(run_key_command({"/no/such/program"}, key));
}

}  // namespace
}  // namespace trellis::rosenpass_program
