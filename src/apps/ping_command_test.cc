#include "apps/ping_command.h"

#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

const JsonValue kStatus = JsonValue::parse(R"({"name":"alice","peers":[
  {"name":"bob","fqdn":"bob.trellis.internal","addresses":["100.64.3.4","fd71::4"],
   "endpoint":"192.0.2.2:51820","post_quantum":true,"protection":"post-quantum",
   "path":{"kind":"direct","address":"192.0.2.2:51820","rtt_milliseconds":0.4}},
  {"name":"carol","addresses":["100.64.3.5"],"post_quantum":false,"protection":"plain",
   "endpoint":"192.0.2.3:1","path":null},
  {"name":"dora","addresses":[],"post_quantum":false,"protection":"none"}, 3]})");

TEST(PingTarget, IsFoundByNameFullNameOrAddress) {
  struct Case {
    const char* peer;
    bool v6;
    const char* address;
  };
  const Case cases[] = {
      {"bob", false, "100.64.3.4"},
      {"BOB", true, "fd71::4"},
      {"bob.trellis.internal", false, "100.64.3.4"},
      {"Bob.Trellis.Internal.", false, "100.64.3.4"},
      {"100.64.3.4", false, "100.64.3.4"},
      {"fd71::4", false, "fd71::4"},
      {"fd71:0::4", true, "fd71::4"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.peer);
    const auto target = find_ping_target(kStatus, c.peer, c.v6);
    ASSERT_TRUE(target) << target.error().message;
    EXPECT_EQ(target->name, "bob");
    EXPECT_EQ(target->address.to_string(), c.address);
  }
}

TEST(PingTarget, ThatIsNotThereIsExplained) {
  struct Case {
    const char* peer;
    bool v6;
    const char* part;
  };
  const Case cases[] = {
      {"bbo", false, "did you mean \"bob\"?"}, {"nobody", false, "`trellis peers` lists them"},
      {"carol", true, "carol has no IPv6"},    {"dora", false, "dora has no IPv4"},
      {"", false, "there is no peer"},         {"100.64.3.9", false, "there is no peer"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.peer);
    const auto target = find_ping_target(kStatus, c.peer, c.v6);
    ASSERT_FALSE(target);
    EXPECT_NE(target.error().message.find(c.part), std::string::npos) << target.error().message;
  }
}

TEST(PingLine, TellsThePathAndTheProtection) {
  const auto bob = find_ping_target(kStatus, "bob", false);
  EXPECT_EQ(ping_line(*bob, kStatus, 1.416),
            "bob 100.64.3.4: 1.42 ms, direct 192.0.2.2:51820, post-quantum\n");
  const auto carol = find_ping_target(kStatus, "carol", false);
  EXPECT_EQ(ping_line(*carol, kStatus, 10),
            "carol 100.64.3.5: 10.00 ms, 192.0.2.3:1, NOT post-quantum\n");
  EXPECT_EQ(ping_line(*bob, JsonValue::object(), 1), "bob 100.64.3.4: 1.00 ms, no session\n");
}

}  // namespace
}  // namespace trellis::apps
