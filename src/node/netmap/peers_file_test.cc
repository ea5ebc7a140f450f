#include "node/netmap/peers_file.h"

#include "base/hex.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace trellis::netmap {
namespace {

crypto::PublicKey key(int n) {
  crypto::PublicKey result;
  result.bytes[0] = static_cast<std::byte>(n);
  result.bytes[31] = std::byte{0x40};
  return result;
}

std::string base64(int n) { return to_base64(key(n).bytes); }

const std::string kHost = R"([host]
name = "alice"
addresses = ["100.64.7.1/16", "fd00:7::1/64"]
)";

/// A whole file with one peer; `extra` are further lines of it.
std::string with_peer(const std::string& extra) { return kHost + "[[peer]]\n" + extra; }

std::string complete_peer(const std::string& name, int number) {
  return fmt::format(
      "[[peer]]\nname = \"{}\"\nwireguard_key = \"{}\"\nrosenpass_key = \"{}.pub\"\n"
      "addresses = [\"100.64.8.{}\"]\n",
      name, base64(number), name, number);
}

std::string error_of(const std::string& text) {
  const auto file = parse_peers_file(text, {.folder = "/etc/trellis", .own_key = key(99)});
  return file ? "no error" : file.error().message;
}

TEST(PeersFile, TellsWhereNoPathCanLead) {
  const auto file = parse_peers_file(kHost, {.folder = "/etc/trellis", .own_key = key(99)});
  ASSERT_TRUE(file);
  for (const char* inside : {"100.64.0.9", "fd00:7::9", "0.0.0.0", "224.0.0.1", "ff02::1"}) {
    EXPECT_FALSE(check_underlay(file->host, *IpAddress::parse(inside))) << inside;
  }
  for (const char* outside : {"192.0.2.1", "100.65.0.1", "fd00:8::1", "127.0.0.1"}) {
    EXPECT_TRUE(check_underlay(file->host, *IpAddress::parse(outside))) << outside;
  }
}

TEST(PeersFile, TakesAllThatCanBeSaid) {
  const std::string text = R"(
[host]
name = "alice"
interface = "mesh0"
addresses = ["100.64.7.1/16", "fd00:7::1/64"]
listen_port = 0
mtu = 1400
mode = "permissive"

[[peer]]
name = "bob"
wireguard_key = ")" + base64(1) +
                           R"("
rosenpass_key = "keys/bob.pub"
endpoint = "bob.example.org:51820"
addresses = ["100.64.7.2", "fd00:7::2/128", "100.64.128.0/24"]
keepalive = 25

[[peer]]
name = "carol"
wireguard_key = ")" + base64(2) +
                           R"("
rosenpass_key = "/srv/carol.pub"
endpoint = "[2001:db8::3]:7"
addresses = ["100.64.7.3"]

[[peer]]
name = "dave"
wireguard_key = ")" + base64(3) +
                           R"("
endpoint = "192.0.2.4:51821"
addresses = ["100.64.7.4"]
)";
  const auto parsed = parse_peers_file(text, {.folder = "/etc/trellis", .own_key = key(99)});
  ASSERT_TRUE(parsed) << parsed.error().message;
  const PeersFile& file = *parsed;
  EXPECT_EQ(file.host.name, "alice");
  EXPECT_EQ(file.host.interface, "mesh0");
  ASSERT_EQ(file.host.addresses.size(), 2u);
  EXPECT_EQ(file.host.addresses[0].to_string(), "100.64.7.1/16");
  EXPECT_EQ(file.host.addresses[1].to_string(), "fd00:7::1/64");
  EXPECT_EQ(file.host.listen_port, 0);
  EXPECT_EQ(file.host.mtu, 1400u);
  EXPECT_EQ(file.host.mode, Mode::Permissive);

  ASSERT_EQ(file.peers.size(), 3u);
  const PeerSection& bob = file.peers[0];
  EXPECT_EQ(bob.name, "bob");
  EXPECT_EQ(bob.wireguard_key, key(1));
  EXPECT_EQ(bob.rosenpass_key, "/etc/trellis/keys/bob.pub");
  EXPECT_EQ(bob.endpoint->host, "bob.example.org");
  EXPECT_EQ(bob.endpoint->port, 51820);
  EXPECT_FALSE(bob.endpoint->address);
  ASSERT_EQ(bob.addresses.size(), 3u);
  EXPECT_EQ(bob.addresses[0].to_string(), "100.64.7.2/32");
  EXPECT_EQ(bob.addresses[2].to_string(), "100.64.128.0/24");
  EXPECT_EQ(bob.keepalive, std::chrono::seconds(25));
  EXPECT_EQ(file.peers[1].rosenpass_key, "/srv/carol.pub");
  EXPECT_EQ(file.peers[1].endpoint->address, Endpoint::parse("[2001:db8::3]:7"));
  EXPECT_EQ(file.peers[2].rosenpass_key, "");
  EXPECT_EQ(file.peers[2].endpoint->address, Endpoint::parse("192.0.2.4:51821"));
}

TEST(PeersFile, DefaultsAreStrictAndSmall) {
  const auto parsed = parse_peers_file(kHost + complete_peer("bob", 1), {});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->host.interface, "trellis0");
  EXPECT_EQ(parsed->host.listen_port, 51820);
  EXPECT_EQ(parsed->host.mtu, 1280u);
  EXPECT_EQ(parsed->host.mode, Mode::Strict);
  EXPECT_FALSE(parsed->peers[0].endpoint);
  EXPECT_EQ(parsed->peers[0].keepalive.count(), 0);
  EXPECT_TRUE(parse_peers_file(kHost, {})) << "a host may have no peers yet";
}

TEST(PeersFile, EachErrorSaysWhereAndWhatToDo) {
  const std::string good_key = "wireguard_key = \"" + base64(1) + "\"\n";
  const std::string head = "name = \"bob\"\n" + good_key + "rosenpass_key = \"b\"\n";
  struct Case {
    const char* name;
    std::string text;
    std::string where;
    const char* says;
  };
  const Case cases[] = {
      {"syntax", "[host\nname", "line 1, column 6", ""},
      {"not UTF-8", "[host]\nname = \"\xff\"", "line 2, column 8", ""},
      {"empty", "", "line 1, column 1", "lacks [host]"},
      {"unknown table", kHost + "[hots]\n", "line 4, column 2", "did you mean \"host\""},
      {"unknown key", kHost + "listen_prot = 1\n", "line 4, column 1",
       "did you mean \"listen_port\""},
      {"strange key", kHost + "colour = 1\n", "line 4, column 1", "remove it"},
      {"peer as table", kHost + "[peer]\nname = 'x'\n", "line 4, column 1", "[[peer]]"},
      {"host as value", "host = 1\n", "line 1, column 8", "[host]"},
      {"port as text", kHost + "listen_port = \"1\"\n", "line 4, column 15", "a whole number"},
      {"port too large", kHost + "listen_port = 65536\n", "line 4, column 15", "0 to 65535"},
      {"negative port", kHost + "listen_port = -1\n", "line 4, column 15", "0 to 65535"},
      {"mtu too small", kHost + "mtu = 1279\n", "line 4, column 7", "1280 to"},
      {"mode", kHost + "mode = \"lax\"\n", "line 4, column 8", "\"strict\""},
      {"interface", kHost + "interface = \"a/b\"\n", "line 4, column 13", "name of an interface"},
      {"no name", "[host]\naddresses = [\"10.0.0.1/8\"]\n", "line 1, column 1", "lacks name"},
      {"bad name", "[host]\nname = \"-a\"\n", "line 2, column 8", "letters, digits and hyphens"},
      {"no addresses", "[host]\nname = \"a\"\n", "line 1, column 1", "lacks addresses"},
      {"empty addresses", "[host]\nname = \"a\"\naddresses = []\n", "line 3, column 13", "empty"},
      {"addresses as text", "[host]\nname = \"a\"\naddresses = \"10.0.0.1/8\"\n",
       "line 3, column 13", "an array of texts"},
      {"address as number", "[host]\nname = \"a\"\naddresses = [\n  7]\n", "line 4, column 3",
       "an array of texts"},
      {"address without length", "[host]\nname = \"a\"\naddresses = [\"10.0.0.1\"]\n",
       "line 3, column 14", "prefix length"},
      {"default route of the host", "[host]\nname = \"a\"\naddresses = [\"10.0.0.1/0\"]\n",
       "line 3, column 14", "too large"},
      {"special address", "[host]\nname = \"a\"\naddresses = [\"127.0.0.1/8\"]\n",
       "line 3, column 14", "special"},
      {"mapped address", "[host]\nname = \"a\"\naddresses = [\"::ffff:10.0.0.1/120\"]\n",
       "line 3, column 14", "special"},
      {"the network's address", "[host]\nname = \"a\"\naddresses = [\"100.64.0.0/16\"]\n",
       "line 3, column 14", "the network itself"},
      {"overlapping networks",
       "[host]\nname = \"a\"\naddresses = [\"100.64.7.1/16\", \"100.64.7.2/24\"]\n",
       "line 3, column 31", "overlaps"},
      {"peer without name", with_peer(good_key), "line 4, column 1", "lacks name"},
      {"peer named as host", with_peer("name = \"Alice\"\n"), "line 5, column 8", "[host]"},
      {"peer without key", with_peer("name = \"bob\"\n"), "line 4, column 1",
       "lacks wireguard_key"},
      {"short key", with_peer("name = \"bob\"\nwireguard_key = \"AAAA\"\n"), "line 6, column 17",
       "44 characters"},
      {"zero key",
       with_peer("name = \"bob\"\nwireguard_key = \"" + to_base64(Bytes<32>{}) + "\"\n"),
       "line 6, column 17", "zeros"},
      {"own key", with_peer("name = \"bob\"\nwireguard_key = \"" + base64(99) + "\"\n"),
       "line 6, column 17", "our own key"},
      {"strict without rosenpass", with_peer("name = \"bob\"\n" + good_key), "line 4, column 1",
       "permissive"},
      {"empty path", with_peer("name = \"bob\"\n" + good_key + "rosenpass_key = \"\"\n"),
       "line 7, column 17", "path"},
      {"endpoint without port", with_peer(head + "endpoint = \"bob.example\"\n"),
       "line 8, column 12", "no port"},
      {"endpoint port 0", with_peer(head + "endpoint = \"bob.example:0\"\n"), "line 8, column 12",
       "1 to 65535"},
      {"endpoint port too large", with_peer(head + "endpoint = \"bob.example:65536\"\n"),
       "line 8, column 12", "no endpoint"},
      {"endpoint mistyped", with_peer(head + "endpoint = \"192.0.2.256:1\"\n"), "line 8, column 12",
       "no endpoint"},
      {"endpoint with a space", with_peer(head + "endpoint = \"bob example:1\"\n"),
       "line 8, column 12", "no endpoint"},
      {"endpoint unspecified", with_peer(head + "endpoint = \"0.0.0.0:1\"\n"), "line 8, column 12",
       "nobody can be reached"},
      {"endpoint multicast", with_peer(head + "endpoint = \"[ff02::1]:1\"\n"), "line 8, column 12",
       "nobody can be reached"},
      {"endpoint inside", with_peer(head + "endpoint = \"100.64.7.2:1\"\n"), "line 8, column 12",
       "inside the VPN"},
      {"keepalive", with_peer(head + "keepalive = 1.5\n"), "line 8, column 13", "a whole number"},
      {"peer default route", with_peer(head + "addresses = [\"0.0.0.0/0\"]\n"), "line 8, column 14",
       "default route"},
      {"peer v6 default route", with_peer(head + "addresses = [\"::/0\"]\n"), "line 8, column 14",
       "default route"},
      {"peer outside", with_peer(head + "addresses = [\"100.65.0.1\"]\n"), "line 8, column 14",
       "outside of the networks of [host] (100.64.0.0/16, fd00:7::/64)"},
      {"peer wider than the network", with_peer(head + "addresses = [\"100.64.0.0/15\"]\n"),
       "line 8, column 14", "outside"},
      {"peer takes our address", with_peer(head + "addresses = [\"100.64.7.1\"]\n"),
       "line 8, column 14", "our own address"},
      {"peer takes our network", with_peer(head + "addresses = [\"100.64.0.0/16\"]\n"),
       "line 8, column 14", "our own address"},
      {"host bits", with_peer(head + "addresses = [\"100.64.8.1/24\"]\n"), "line 8, column 14",
       "write 100.64.8.0/24 or 100.64.8.1"},
      {"no address at all", with_peer(head + "addresses = [\"bob\"]\n"), "line 8, column 14",
       "no address"},
      {"same name twice", kHost + complete_peer("bob", 1) + complete_peer("BOB", 2),
       "line 10, column 8", "line 5"},
      {"same key twice",
       kHost + complete_peer("bob", 1) + "[[peer]]\nname = \"carol\"\n" + good_key,
       "line 11, column 17", "line 6"},
      {"same address twice",
       kHost + complete_peer("bob", 1) + "[[peer]]\nname = \"carol\"\nwireguard_key = \"" +
           base64(2) + "\"\nrosenpass_key = \"c\"\naddresses = [\"100.64.8.0/24\"]\n",
       "line 13, column 14", "100.64.8.1/32 in line 8"},
      {"terminal escapes", kHost + "\"\\u001b[31mx\" = 1\n", "line 4, column 1", "\"?[31mx\""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string error = error_of(c.text);
    EXPECT_TRUE(error.starts_with(c.where + ": ")) << error;
    EXPECT_NE(error.find(c.says), std::string::npos) << error;
  }
}

TEST(PeersFile, SizesAndCountsAreBounded) {
  EXPECT_NE(error_of("#" + std::string(5 << 20, 'x')).find("bytes"), std::string::npos);
  std::string many = "[host]\nname = \"a\"\naddresses = [\"10.0.0.1/8\"]\n";
  for (int i = 0; i < 4097; ++i) many += "[[peer]]\n";
  EXPECT_NE(error_of(many).find("more than 4096 peers"), std::string::npos);
  std::string nested = "a = ";
  for (int i = 0; i < 10'000; ++i) nested += "[";
  EXPECT_TRUE(error_of(nested).starts_with("line 1, column ")) << error_of(nested);
}

TEST(PeersFile, ALargeListIsTaken) {
  std::string text = "[host]\nname = \"a\"\naddresses = [\"10.0.0.1/8\"]\n";
  for (int i = 0; i < 4096; ++i) {
    Bytes<32> bytes{};
    bytes[0] = static_cast<std::byte>(i % 256);
    bytes[1] = static_cast<std::byte>(i / 256);
    bytes[2] = std::byte{1};
    text += fmt::format(
        "[[peer]]\nname = \"p{}\"\nwireguard_key = \"{}\"\nrosenpass_key = \"k\"\n"
        "addresses = [\"10.1.{}.{}\"]\n",
        i, to_base64(bytes), i / 256, i % 256);
  }
  const auto file = parse_peers_file(text, {});
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->peers.size(), 4096u);
}

TEST(Diff, TellsWhatAReloadChanges) {
  const auto parse = [](const std::string& text) { return parse_peers_file(text, {}).value(); };
  const PeersFile before =
      parse(kHost + complete_peer("bob", 1) + complete_peer("carol", 2) + complete_peer("dave", 3));
  const PeersFile after = parse(kHost + "mtu = 1400\nlisten_port = 7\n" + complete_peer("erin", 4) +
                                complete_peer("carol", 5) + complete_peer("bob", 1));
  const Difference difference = diff(before, after);
  EXPECT_EQ(difference.added, std::vector<std::string>{"erin"});
  EXPECT_EQ(difference.removed, std::vector<std::string>{"dave"});
  EXPECT_EQ(difference.changed, std::vector<std::string>{"carol"});
  EXPECT_EQ(difference.unchanged, std::vector<std::string>{"bob"});
  EXPECT_EQ(difference.host, (std::vector<std::string>{"listen_port", "mtu"}));
  EXPECT_FALSE(difference.empty());
  EXPECT_TRUE(diff(after, after).empty());
  EXPECT_EQ(diff(after, after).unchanged.size(), 3u);
}

}  // namespace
}  // namespace trellis::netmap
