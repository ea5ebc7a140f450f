#include "apps/rosenpass/rp.h"

#include "apps/rosenpass/key_files.h"
#include "base/hex.h"
#include "crypto/x25519.h"
#include "testing/random.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace trellis::rosenpass_program {
namespace {

namespace fs = std::filesystem;

class Rp : public ::testing::Test {
 protected:
  Rp() {
    std::string name = (fs::temp_directory_path() / "trellis-rp-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~Rp() override { fs::remove_all(folder_); }
  std::string in(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
  testing::SeededRandom random_{4};
};

TEST_F(Rp, MakesKeysInFolders) {
  ASSERT_TRUE(rp_genkey(in("a"), random_));
  EXPECT_EQ(fs::status(in("a")).permissions(), fs::perms::owner_all);
  const auto made = rp_pubkey(in("a"), in("a.pub"));
  ASSERT_TRUE(made) << made.error().message;
  const auto key = load_wireguard_key(in("a/wgsk"));
  ASSERT_TRUE(key);
  std::ifstream file(in("a.pub/wgpk"));
  std::string text;
  std::getline(file, text);
  EXPECT_EQ(text, to_base64(crypto::public_key(*key).bytes));
  EXPECT_EQ(fs::file_size(in("a.pub/pqpk")), 524160U);
  EXPECT_TRUE(load_own_keys({in("a.pub/pqpk"), in("a/pqsk")}, random_));

  const auto again = rp_genkey(in("a"), random_);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("never overwritten"), std::string::npos);
  EXPECT_FALSE(rp_pubkey(in("a"), in("a.pub")));
  EXPECT_FALSE(rp_pubkey(in("none"), in("b.pub")));
  EXPECT_FALSE(fs::exists(in("b.pub")));
}

TEST_F(Rp, MakesAConfigurationOfATunnel) {
  ASSERT_TRUE(rp_genkey(in("a"), random_));
  ASSERT_TRUE(rp_pubkey(in("a"), in("a.pub")));
  std::ofstream(in("a.pub/psk")) << to_base64(Bytes<32>{});
  const auto tunnel =
      parse_tunnel_words({in("b"), "dev", "rp1", "ip", "10.9.0.1/24", "listen", "192.0.2.1:9999",
                          "peer", in("a.pub"), "endpoint", "[2001:db8::1]:7",
                          "persistent-keepalive", "25", "allowed-ips", "10.9.0.2/32,10.1.0.0/16"});
  ASSERT_TRUE(tunnel) << tunnel.error().message;
  EXPECT_EQ(tunnel->device, "rp1");
  const auto config = config_of(*tunnel);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->secret_key, in("b/pqsk"));
  ASSERT_EQ(config->listen.size(), 1U);
  EXPECT_EQ(config->listen[0].port, 9999);
  ASSERT_EQ(config->peers.size(), 1U);
  const PeerSection& peer = config->peers[0];
  EXPECT_EQ(peer.endpoint, "[2001:db8::1]:7");
  EXPECT_EQ(peer.pre_shared_key, in("a.pub/psk"));
  EXPECT_EQ(peer.wireguard->device, "rp1");
  EXPECT_EQ(peer.wireguard->extra,
            (std::vector<std::string>{"endpoint", "[2001:db8::1]:8", "persistent-keepalive", "25",
                                      "allowed-ips", "10.9.0.2/32,10.1.0.0/16"}));
}

TEST_F(Rp, SaysWhatIsWrongWithTheWords) {
  struct Case {
    std::vector<std::string> words;
    const char* part;
  };
  const Case cases[] = {
      {{}, "folder"},
      {{"d", "dev"}, "wants a value"},
      {{"d", "dev", "a/b"}, "no name"},
      {{"d", "dev", "sixteen-letters1"}, "no name"},
      {{"d", "ip", "10.0.0.1/33"}, "ADDRESS/LENGTH"},
      {{"d", "listen", "x"}, "ADDRESS:PORT"},
      {{"d", "listen", "1.2.3.4:65535"}, "65535"},
      {{"d", "endpoint", "x:1"}, "not known here"},
      {{"d", "peer", "p", "dev", "x"}, "not known for a peer"},
      {{"d", "peer", "p", "endpoint", "x"}, "HOST:PORT"},
      {{"d", "peer", "p", "allowed-ips", "x"}, "allowed-ips"},
  };
  for (const Case& c : cases) {
    const auto tunnel = parse_tunnel_words(c.words);
    ASSERT_FALSE(tunnel) << c.part;
    EXPECT_NE(tunnel.error().message.find(c.part), std::string::npos) << tunnel.error().message;
  }
  const auto tunnel = parse_tunnel_words({"d", "peer", in("none")});
  ASSERT_TRUE(tunnel);
  EXPECT_FALSE(config_of(*tunnel));
}

}  // namespace
}  // namespace trellis::rosenpass_program
