#include "protocol/control/join_line.h"

#include <gtest/gtest.h>

namespace trellis::control {
namespace {

constexpr const char* kDigits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

std::string line(const std::string& server) { return server + "#sha256:" + kDigits; }

TEST(JoinLine, ReadsNamesAndAddressesWithAndWithoutPorts) {
  const struct {
    const char* text;
    const char* host;
    std::uint16_t port;
    const char* authority;
  } cases[] = {
      {"https://vpn.example.org", "vpn.example.org", 443, "vpn.example.org"},
      {"https://VPN.Example.org:8443", "vpn.example.org", 8443, "vpn.example.org:8443"},
      {"https://vpn.example.org:443/", "vpn.example.org", 443, "vpn.example.org"},
      {"https://localhost:1", "localhost", 1, "localhost:1"},
      {"https://192.0.2.1", "192.0.2.1", 443, "192.0.2.1"},
      {"https://192.0.2.1:65535", "192.0.2.1", 65535, "192.0.2.1:65535"},
      {"https://[2001:DB8:0::1]", "2001:db8::1", 443, "[2001:db8::1]"},
      {"HTTPS://[2001:db8::1]:8443", "2001:db8::1", 8443, "[2001:db8::1]:8443"},
      {"https://3com.example", "3com.example", 443, "3com.example"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto parsed = JoinLine::parse(line(c.text));
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(parsed->host, c.host);
    EXPECT_EQ(parsed->port, c.port);
    EXPECT_EQ(parsed->authority(), c.authority);
    EXPECT_EQ(parsed->fingerprint[1], std::byte{0x11});
    EXPECT_EQ(JoinLine::parse(parsed->to_string()), *parsed);
  }
}

TEST(JoinLine, TakesTheFingerprintInEitherCaseAndWhiteSpaceAround) {
  std::string upper = kDigits;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const auto parsed = JoinLine::parse(" https://a.example#SHA256:" + upper + "\r\n");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->to_string(), line("https://a.example"));
}

TEST(JoinLine, SaysWhatIsWrong) {
  const struct {
    std::string text;
    const char* reason;
  } cases[] = {
      {"", "the address of the server is empty"},
      {line("vpn.example.org"), "it does not begin with https://"},
      {line("http://vpn.example.org"), "without TLS nothing tells the server from another"},
      {"https://vpn.example.org", "the fingerprint of the server's key is missing"},
      {line("https://"), "the name of the server is missing"},
      {line("https://:8443"), "the name of the server is missing"},
      {line("https://a/b"), "nothing stands between the name of the server and #"},
      {line("https://a?b"), "nothing stands between the name of the server and #"},
      {line("https://me:secret@a.example"), "the server has no user names"},
      {line("https://2001:db8::1"), "an IPv6 address stands in brackets"},
      {line("https://[2001:db8::1"), "the bracket of the IPv6 address is not closed"},
      {line("https://[a.example]"), "what is in brackets is no IPv6 address"},
      {line("https://[192.0.2.1]"), "what is in brackets is no IPv6 address"},
      {line("https://[::1]x"), "the port is missing"},
      {line("https://a:"), "the port is missing"},
      {line("https://a:0"), "the port is no number from 1 to 65535"},
      {line("https://a:65536"), "the port is no number from 1 to 65535"},
      {line("https://a:8x"), "the port is no number from 1 to 65535"},
      {line("https://a_b"), "the name of the server is no host name"},
      {line("https://-a"), "the name of the server is no host name"},
      {line("https://a..b"), "the name of the server is no host name"},
      {line("https://192.0.2.256"), "the name of the server is no host name"},
      {"https://a#", "the fingerprint does not begin with sha256:"},
      {"https://a#md5:00", "the fingerprint does not begin with sha256:"},
      {"https://a#sha256:00", "the fingerprint has not exactly 64 hexadecimal digits"},
      {line("https://a") + "0", "the fingerprint has not exactly 64 hexadecimal digits"},
      {line("https://a") + "#", "the fingerprint has not exactly 64 hexadecimal digits"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto parsed = JoinLine::parse(c.text);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().message.find(c.reason), 0U) << parsed.error().message;
    EXPECT_NE(parsed.error().message.find("https://HOST[:PORT]#sha256:FINGERPRINT"),
              std::string::npos);
  }
}

TEST(HostName, HasLabelsOfLettersDigitsAndHyphens) {
  EXPECT_TRUE(is_host_name("a"));
  EXPECT_TRUE(is_host_name(std::string(63, 'a') + ".example"));
  EXPECT_FALSE(is_host_name(std::string(64, 'a') + ".example"));
  std::string longest;
  for (int i = 0; i < 126; ++i) longest += "a.";
  EXPECT_TRUE(is_host_name(longest + "b"));
  EXPECT_FALSE(is_host_name(longest + "bc"));
  EXPECT_FALSE(is_host_name(""));
  EXPECT_FALSE(is_host_name("a."));
  EXPECT_FALSE(is_host_name(".a"));
  EXPECT_FALSE(is_host_name("1.2"));
  EXPECT_FALSE(is_host_name("b\xc3\xbc.example"));
}

}  // namespace
}  // namespace trellis::control
