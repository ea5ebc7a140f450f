#include "node/agent/control.h"

#include "node/agent/agent_sim_test.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace trellis::agent {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr Caller kRoot{.may_change = true};
constexpr Caller kMember{.may_change = false};

class Control : public ::testing::Test {
 protected:
  Control() : sim_(31) {
    sim_.start(0);
    sim_.start(1);
    facts_.name = "alice";
    facts_.interface = "trellis0";
    facts_.listen_port = 51820;
  }

  json ask(Caller caller, std::string_view request) {
    reply_ = handle_request(sim_.agent(0), sim_.now(), facts_, caller, request);
    EXPECT_EQ(reply_.text.find('\n'), std::string::npos);
    return json::parse(reply_.text);
  }

  AgentSim sim_;
  HostFacts facts_;
  Reply reply_;
};

TEST_F(Control, StatusSaysWhatIsInForceBeforeAndAfterTheExchange) {
  json peer = ask(kMember, R"({"command": "status"})")["status"]["peers"][0];
  EXPECT_EQ(peer["post_quantum"], false);
  EXPECT_EQ(peer["protection"], "none");
  EXPECT_TRUE(peer["why_not"].is_string());
  EXPECT_TRUE(peer["suite"].is_null());
  ASSERT_TRUE(sim_.run_until(sim_.now() + 5s, [&] { return sim_.agreed(); }));
  sim_.run_for(3s);
  peer = ask(kMember, R"({"command": "status"})")["status"]["peers"][0];
  EXPECT_EQ(peer["name"], "peer1");
  EXPECT_EQ(peer["post_quantum"], true);
  EXPECT_EQ(peer["protection"], "post-quantum");
  EXPECT_TRUE(peer["why_not"].is_null());
  EXPECT_EQ(peer["suite"], small_suite().name);
  EXPECT_NEAR(peer["session_key_age_seconds"].get<double>(), 3.0, 0.2);
  EXPECT_EQ(peer["renewals"], 0);
  EXPECT_EQ(peer["addresses"][0], "100.64.0.2");
  EXPECT_EQ(peer["endpoint"], "192.0.2.2:51820");
}

TEST_F(Control, OnlyRootMayChangeAnything) {
  for (const char* request :
       {R"({"command": "reload"})", R"({"command": "trust", "peer": "peer1"})"}) {
    const json refused = ask(kMember, request);
    EXPECT_EQ(refused["ok"], false);
    EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("root"));
    EXPECT_FALSE(reply_.reload);
    EXPECT_EQ(ask(kRoot, request)["ok"], true);
  }
  ask(kRoot, R"({"command": "reload"})");
  EXPECT_TRUE(reply_.reload);
}

TEST_F(Control, AnythingElseIsAClearErrorAndNeverAFailure) {
  const char* requests[] = {"",
                            "{",
                            "[]",
                            "null",
                            "\"status\"",
                            R"({"command": 1})",
                            R"({"command": "delete everything"})",
                            R"({"command": "trust"})",
                            R"({"command": "trust", "peer": ["peer1"]})",
                            R"({"command": "trust", "peer": "nobody"})",
                            "\xff\xfe"};
  for (const char* request : requests) {
    SCOPED_TRACE(request);
    const json answer = ask(kRoot, request);
    EXPECT_EQ(answer["ok"], false);
    EXPECT_FALSE(answer["error"].get<std::string>().empty());
  }
}

TEST_F(Control, NamesThatAreNotUtf8AreShownAndNotThrown) {
  facts_.name = "al\xffice";
  EXPECT_EQ(ask(kMember, R"({"command": "status"})")["ok"], true);
}

TEST_F(Control, ANewWireGuardKeyUnderANameThatWasPostQuantumIsShown) {
  ASSERT_TRUE(sim_.run_until(sim_.now() + 5s, [&] { return sim_.agreed(); }));
  EXPECT_TRUE(ask(kMember, R"({"command": "status"})")["status"]["warnings"].empty());
  sim_.crash(0);
  sim_.crash(1);
  sim_.give_new_wireguard_key(1);
  sim_.give_new_rosenpass_key(1);
  sim_.start(0);
  json warnings = ask(kMember, R"({"command": "status"})")["status"]["warnings"];
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0].get<std::string>(), HasSubstr("peer peer1: another WireGuard key"));
  ask(kRoot, R"({"command": "trust", "peer": "peer1"})");
  EXPECT_TRUE(ask(kMember, R"({"command": "status"})")["status"]["warnings"].empty());
}

}  // namespace
}  // namespace trellis::agent
