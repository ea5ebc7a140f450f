#include "node/netmap/toml_guard.h"

#include "node/netmap/peers_file.h"

#include <gmock/gmock.h>

#include <string>

namespace trellis::netmap {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string repeated(std::string_view text, std::size_t count) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i) result += text;
  return result;
}

TEST(TomlGuard, LetsPassWhatAListOfPeersIsMadeOf) {
  const char* cases[] = {
      "",
      "[host]\nname = \"alice\"\r\naddresses = [\"100.64.7.1/16\", \"fd00::1/64\"]\n",
      "[[peer]]\n  [ \"host\" ]\n[]\n",
      "x = \"1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1\" # .....................\n",
      "x = \"a \\\" # b\"\ny = 'a \\'\nz = \"\"\n",
      "rosenpass-key = -1\nx=[-1,\n-2]\n[a-b]\n",
      "x = [\n  \"a\",\n  [\"b\"],\n]\n",
  };
  for (const char* text : cases) EXPECT_TRUE(guard_toml(text)) << text;
}

TEST(TomlGuard, RefusesWhatTheParserDoesNotSurvive) {
  struct Case {
    std::string text;
    const char* error;
  };
  const Case cases[] = {
      {"[=]", "line 1, column 2: this is no name"},
      {"[\r\nhost]", "line 1, column 2: this is no name"},
      {"[\rhost]", "line 1, column 2: this is no name"},
      {"[[ # peer", "line 1, column 4: this is no name"},
      {"x = \xcc\xa0", "line 1, column 5: this character only stands in a text"},
      {"x = 0\"\xcc\xa0\"", "line 1, column 6: a quote or bracket inside of a word"},
      {"x =-[\"\xcc\xa0\"]", "line 1, column 5: a quote or bracket inside of a word"},
      {"x = \"a\"b", "line 1, column 8: a text goes on behind its quotes"},
      {"x = 'a''b'", "line 1, column 8: a text goes on behind its quotes"},
      {"x=-y='\xcc\xa0'", "line 1, column 5: there is an '=' too many"},
      {"x = [\n 5=\"\xcc\xa0\"]", "line 2, column 3: there is an '=' too many"},
      {"x = [1979-05-27 1,22]", "line 1, column 10: this character only stands in a text"},
      {"x = 07:32", "line 1, column 7: this character only stands in a text"},
      {"x = [}", "line 1, column 6: this character only stands in a text"},
      {"x = {y = 1}", "line 1, column 5: this character only stands in a text"},
      {"x = 1\v", "line 1, column 6: this character only stands in a text"},
      {"a = 1\n[ [ .x]]", "line 2, column 5: this is no name"},
      {std::string("[\0\0host]", 8), "line 1, column 2: this is no name"},
      {"\n" + repeated("a.", 30'000) + "a = 1", "line 2, column 34: too many dots"},
      {"x = \"\"\"\ny\"\"\"", "line 1, column 5: write each text in one line"},
      {"x = '''y'''", "line 1, column 5: write each text in one line"},
  };
  for (const Case& c : cases) {
    const auto guarded = guard_toml(c.text);
    ASSERT_FALSE(guarded) << c.text.substr(0, 40);
    EXPECT_THAT(guarded.error().message, StartsWith(c.error));
    const auto parsed = parse_peers_file(c.text, {});
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().message, guarded.error().message);
  }
}

TEST(TomlGuard, LeavesAStringWithoutAnEndToTheParser) {
  for (const char* text : {"x = \"a", "x = \"a\\", "x = 'a", "\""}) {
    EXPECT_TRUE(guard_toml(text)) << text;
    const auto parsed = parse_peers_file(text, {});
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("line 1, column"));
  }
}

TEST(TomlGuard, ErrorsOfTheParserStayOnOneLine) {
  const auto parsed = parse_peers_file("x = [1,\nna\n]", {});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace trellis::netmap
