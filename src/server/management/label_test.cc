#include "server/management/label.h"

#include <gtest/gtest.h>

#include <set>

namespace trellis::server {
namespace {

TEST(Label, IsMadeOfWhatMachinesCallThemselves) {
  struct Case {
    const char* host_name;
    const char* label;
  };
  const Case cases[] = {{"alice", "alice"},
                        {"Alice", "alice"},
                        {"alice.example.org", "alice"},
                        {"Bob's MacBook Pro", "bob-s-macbook-pro"},
                        {"--x--", "x"},
                        {"", "machine"},
                        {"...", "machine"},
                        {"\xc3\xa4\xc3\xb6", "machine"},
                        {"a\xc3\xa4z", "a--z"}};
  for (const Case& c : cases) EXPECT_EQ(label_of(c.host_name), c.label) << c.host_name;
  const std::string longest = label_of(std::string(200, 'x'));
  EXPECT_EQ(longest.size(), 63U);
  EXPECT_TRUE(is_label(longest));
}

TEST(Label, OfAnAdministratorIsTakenAsItIsOrNot) {
  for (const char* good : {"a", "web-2", "0", "a--b"}) EXPECT_TRUE(is_label(good)) << good;
  for (const char* bad : {"", "-a", "a-", "A", "a.b", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(is_label(bad)) << bad;
  }
  EXPECT_FALSE(is_label(std::string(64, 'a')));
}

TEST(Label, GetsTheFirstNumberThatIsFree) {
  std::set<std::string> taken = {"web", "web-2", "web-4"};
  const auto is_taken = [&](const std::string& label) { return taken.contains(label); };
  EXPECT_EQ(unique_label("mail", is_taken), "mail");
  EXPECT_EQ(unique_label("web", is_taken), "web-3");
  const std::string longest(63, 'x');
  taken.insert(longest);
  const std::string numbered = unique_label(longest, is_taken);
  EXPECT_EQ(numbered, std::string(61, 'x') + "-2");
  EXPECT_TRUE(is_label(numbered));
}

}  // namespace
}  // namespace trellis::server
