#include "base/host_label.h"

#include <gtest/gtest.h>

namespace trellis {
namespace {

TEST(HostLabel, HasLettersDigitsAndInnerHyphens) {
  for (const char* text : {"a", "A", "0", "alice", "a-b", "a--b", "100-64-0-1", "xn--caf-dma"}) {
    EXPECT_TRUE(is_host_label(text)) << text;
  }
  for (const char* text : {"", "-a", "a-", "-", "a.b", "a_b", "a b", "caf\xc3\xa9", "a\n"}) {
    EXPECT_FALSE(is_host_label(text)) << text;
  }
  EXPECT_TRUE(is_host_label(std::string(63, 'a')));
  EXPECT_FALSE(is_host_label(std::string(64, 'a')));
  EXPECT_FALSE(is_host_label(std::string_view("a\0b", 3)));
}

TEST(HostName, IsLabelsWithDotsBetweenThem) {
  for (const char* text : {"a", "trellis.internal", "a.b.c.d"}) EXPECT_TRUE(is_host_name(text));
  for (const char* text : {"", ".", "a.", ".a", "a..b", "a.-b"}) EXPECT_FALSE(is_host_name(text));
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  EXPECT_TRUE(is_host_name(longest));
  EXPECT_FALSE(is_host_name(longest + "b"));
}

TEST(AsciiLower, LeavesAllButLettersAsTheyAre) {
  EXPECT_EQ(ascii_lower("Alice-7.EXAMPLE@[`{Z"), "alice-7.example@[`{z");
  EXPECT_EQ(ascii_lower("\xc3\x89"), "\xc3\x89");
}

}  // namespace
}  // namespace trellis
