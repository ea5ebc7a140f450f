#include "apps/rosenpass/config.h"

#include "base/hex.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass_program {
namespace {

const std::string kWireGuardKey = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

std::string error_of(const std::string& toml) {
  const auto parsed = parse_config(toml);
  return parsed ? "none" : parsed.error().message;
}

TEST(Config, ReadsWhatRustRosenpassWrites) {
  const auto parsed = parse_config(R"(public_key = "rp-public-key"
secret_key = "rp-secret-key"
listen = []
verbosity = "Quiet"

[[peers]]
public_key = "rp-peer-public-key"
endpoint = "my-peer.test:9999"
key_out = "rp-key-out"
exchange_command = [
    "wg",
    "set",
    "wg0",
    "peer",
    "<PEER_ID>",
    "preshared-key",
    "/dev/stdin",
]
)");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const Config& config = parsed->config;
  EXPECT_EQ(config.public_key, "rp-public-key");
  EXPECT_EQ(config.secret_key, "rp-secret-key");
  EXPECT_TRUE(config.listen.empty());
  EXPECT_FALSE(config.verbose);
  ASSERT_EQ(config.peers.size(), 1U);
  EXPECT_EQ(config.peers[0].endpoint, "my-peer.test:9999");
  EXPECT_EQ(config.peers[0].key_out, "rp-key-out");
  ASSERT_EQ(parsed->warnings.size(), 1U);
  EXPECT_TRUE(parsed->warnings[0].starts_with("line 10, column "));
}

TEST(Config, ReadsEveryKeyAndWritesItAgain) {
  const auto parsed = parse_config(R"(
public_key = "a\"b"
secret_key = "s"
listen = ["0.0.0.0:9999", "[::1]:7"]
verbosity = "Verbose"
[[peers]]
public_key = "p"
endpoint = "[2001:db8::1]:10001"
pre_shared_key = "psk"
key_out = "out"
device = "wg0"
peer = ")" + kWireGuardKey + R"("
extra_params = ["allowed-ips", "10.0.0.0/24"]
psk_command = ["cat", "-"]
protocol_version = "V03"
ciphertext_bytes = 156
osk_organization = "example.org"
osk_label = ["a", "b"]
peer_software = "go"
)");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->warnings.empty());
  const Config& config = parsed->config;
  EXPECT_EQ(config.public_key, "a\"b");
  ASSERT_EQ(config.listen.size(), 2U);
  EXPECT_EQ(config.listen[1].to_string(), "[::1]:7");
  EXPECT_TRUE(config.verbose);
  ASSERT_EQ(config.peers.size(), 1U);
  const PeerSection& peer = config.peers[0];
  ASSERT_TRUE(peer.wireguard);
  EXPECT_EQ(to_base64(peer.wireguard->peer.bytes), kWireGuardKey);
  EXPECT_EQ(peer.wireguard->extra, (std::vector<std::string>{"allowed-ips", "10.0.0.0/24"}));
  EXPECT_EQ(peer.version, rosenpass::Version::V03);
  EXPECT_EQ(peer.ciphertext_bytes, 156U);
  EXPECT_EQ(peer.software, rosenpass::PeerKind::StockGo);

  const auto again = parse_config(to_toml(config));
  ASSERT_TRUE(again) << again.error().message << "\n" << to_toml(config);
  EXPECT_EQ(again->config, config);
}

TEST(Config, TakesItsOwnExample) {
  const auto parsed = parse_config(example_config());
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->warnings.empty());
  EXPECT_EQ(parsed->config.peers.size(), 1U);
}

TEST(Config, SaysWhereItIsWrong) {
  const std::string keys = "public_key = \"p\"\nsecret_key = \"s\"\n";
  const std::string peer = keys + "[[peers]]\npublic_key = \"x\"\n";
  struct Case {
    std::string toml;
    const char* begin;
  };
  const Case cases[] = {
      {"public_key = 1\n", "line 1, column "},
      {"secret_key = \"s\"\n", "line 1, column 1: "},
      {keys + "listen = \"0.0.0.0:1\"\n", "line 3, column 10: "},
      {keys + "listen = [\"0.0.0.0\"]\n", "line 3, column 11: "},
      {keys + "verbosity = \"Loud\"\n", "line 3, column 13: "},
      {keys + "peers = 1\n", "line 3, column "},
      {peer + "endpoint = \"nowhere\"\n", "line 5, column 12: "},
      {peer + "endpoint = \"::1:9999\"\n", "line 5, column 12: "},
      {peer + "device = \"wg0\"\n", "line 3, column "},
      {peer + "device = \"wg0\"\npeer = \"x\"\n", "line 6, column 8: "},
      {peer + "protocol_version = \"V04\"\n", "line 5, column "},
      {peer + "ciphertext_bytes = 157\n", "line 5, column "},
      {peer + "osk_label = [\"a\"]\n", "line 3, column "},
      {peer + "peer_software = \"c\"\n", "line 5, column "},
      {keys + "x = [\n", "line "},
      {keys + "[=]\n", "line 3, column "},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.toml);
    const std::string error = error_of(c.toml);
    EXPECT_TRUE(error.starts_with(c.begin)) << error;
  }
}

TEST(Config, WarnsOfKeysThatItDoesNotKnow) {
  const auto parsed = parse_config(
      "public_key = \"p\"\nsecret_key = \"s\"\npubic_key = 1\n"
      "[api]\nx = 1\n[[peers]]\npublic_key = \"x\"\nendpont = \"a\"\n");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->warnings.size(), 3U);
  EXPECT_NE(parsed->warnings[0].find("line 3, column 1: "), std::string::npos);
  EXPECT_NE(parsed->warnings[1].find("[api]"), std::string::npos);
  EXPECT_NE(parsed->warnings[2].find("\"endpont\""), std::string::npos);
}

TEST(ExchangeWords, MakeTheSameConfiguration) {
  const auto config = parse_exchange_words(
      {"public-key", "a",      "private-key",   "b",           "listen",      "127.0.0.1:1",
       "listen",     "[::]:2", "verbose",       "peer",        "public-key",  "c",
       "endpoint",   "host:3", "preshared-key", "d",           "outfile",     "e",
       "wireguard",  "wg0",    kWireGuardKey,   "allowed-ips", "10.0.0.1/32", "endpoint",
       "x:1",        "peer",   "preshared-key", "f",           "endpoint",    "host:4",
       "public-key", "g"});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->secret_key, "b");
  EXPECT_EQ(config->listen.size(), 2U);
  EXPECT_TRUE(config->verbose);
  ASSERT_EQ(config->peers.size(), 2U);
  EXPECT_EQ(config->peers[0].endpoint, "host:3");
  EXPECT_EQ(config->peers[0].pre_shared_key, "d") << "an endpoint and a psk, in either order";
  EXPECT_EQ(config->peers[0].wireguard->extra,
            (std::vector<std::string>{"allowed-ips", "10.0.0.1/32", "endpoint", "x:1"}));
  EXPECT_EQ(config->peers[1].endpoint, "host:4");
  EXPECT_EQ(config->peers[1].pre_shared_key, "f");
}

TEST(ExchangeWords, SayWhatIsWrong) {
  struct Case {
    std::vector<std::string> words;
    const char* part;
  };
  const Case cases[] = {
      {{"secret-key", "s"}, "public-key"},
      {{"public-key", "p"}, "secret-key"},
      {{"public-key"}, "wants"},
      {{"public-key", "p", "public-key", "q"}, "twice"},
      {{"public-key", "p", "secret-key", "s", "listen", "x"}, "listen x"},
      {{"public-key", "p", "secret-key", "s", "frob"}, "frob"},
      {{"public-key", "p", "secret-key", "s", "peer"}, "has no key"},
      {{"public-key", "p", "secret-key", "s", "peer", "public-key", "q", "endpoint", "q"},
       "HOST:PORT"},
      {{"public-key", "p", "secret-key", "s", "peer", "public-key", "q", "wireguard", "wg0", "x"},
       "44 characters"},
  };
  for (const Case& c : cases) {
    const auto config = parse_exchange_words(c.words);
    ASSERT_FALSE(config) << c.part;
    EXPECT_NE(config.error().message.find(c.part), std::string::npos) << config.error().message;
  }
}

TEST(Endpoint, OfOursMayLeaveThePortToTheKernel) {
  EXPECT_EQ(parse_listen("127.0.0.1:0")->port, 0);
  EXPECT_EQ(parse_listen("[::1]:10")->port, 10);
  EXPECT_FALSE(parse_listen("127.0.0.1"));
  EXPECT_FALSE(parse_listen(":0"));
}

TEST(Endpoint, IsSplitIntoHostAndPort) {
  const auto parts = [](std::string_view text) {
    const auto split = split_endpoint(text);
    return split ? split->host + " " + std::to_string(split->port) : "none";
  };
  EXPECT_EQ(parts("example.org:9999"), "example.org 9999");
  EXPECT_EQ(parts("[fe80::1%eth0]:1"), "fe80::1%eth0 1");
  for (const char* wrong :
       {"", ":1", "a", "a:", "a:0", "a:65536", "a:1x", "::1:2", "[]:1", "[a:1"}) {
    EXPECT_EQ(parts(wrong), "none") << wrong;
  }
}

}  // namespace
}  // namespace trellis::rosenpass_program
