#include "server/gateway/fixture_test.h"

#include <gmock/gmock.h>

namespace trellis::server {
namespace {

using ::testing::HasSubstr;

class AdministrationTest : public GatewayTest {
 protected:
  std::string error_of(const Json& request, bool may_change = true) {
    const Json answer = world.ask(request, may_change);
    EXPECT_EQ(answer["ok"], false) << answer;
    return answer.value("error", "");
  }
  Json setup_key(const std::string& name) {
    const Json list = world.ask({{"command", "setup-key list"}});
    for (const Json& key : list["setup_keys"]) {
      if (key["name"] == name) return key;
    }
    return {};
  }
};

TEST_F(AdministrationTest, MakesSetupKeysAndShowsThemOnce) {
  const Json made = world.ask({{"command", "setup-key create"},
                               {"name", "office"},
                               {"reusable", true},
                               {"limit", 5},
                               {"expires_seconds", 3600},
                               {"ephemeral", true}});
  ASSERT_EQ(made["ok"], true) << made;
  EXPECT_EQ(made["setup_key"].get<std::string>().size(), 36U);
  world.advance(60s);
  const Json listed = setup_key("office");
  EXPECT_EQ(listed["id"], made["id"]);
  EXPECT_EQ(listed["state"], "valid");
  EXPECT_EQ(listed["reusable"], true);
  EXPECT_EQ(listed["limit"], 5);
  EXPECT_EQ(listed["used"], 0);
  EXPECT_EQ(listed["ephemeral"], true);
  EXPECT_EQ(listed["expires_seconds"], 3540);
  EXPECT_EQ(listed["created_seconds"], 60);
  const std::string list = world.ask({{"command", "setup-key list"}}).dump();
  EXPECT_EQ(list.find(made["setup_key"].get<std::string>()), std::string::npos);
}

TEST_F(AdministrationTest, TellsTheStateOfEachSetupKey) {
  const auto make = [&](const char* name, Json order) {
    order["name"] = name;
    return world.setup_key(order);
  };
  make("revoked", {});
  make("expired", {{"expires_seconds", 10}});
  const std::string used = make("used", {});
  world.ask({{"command", "setup-key revoke"}, {"id", setup_key("revoked")["id"]}});
  ASSERT_TRUE(world.connect(world.machine("x")).log_in(used).ok());
  world.advance(10s);
  EXPECT_EQ(setup_key("revoked")["state"], "revoked");
  EXPECT_EQ(setup_key("expired")["state"], "expired");
  EXPECT_EQ(setup_key("used")["state"], "used up");
}

TEST_F(AdministrationTest, SetupKeysOutliveARestart) {
  const std::string key = world.setup_key();
  world.crash();
  world.start();
  EXPECT_TRUE(world.connect(world.machine("x")).log_in(key).ok());
}

TEST_F(AdministrationTest, TheUnprivilegedMayOnlyLook) {
  world.join("alice");
  for (const char* command : {"status", "setup-key list", "peer list"}) {
    EXPECT_EQ(world.ask({{"command", command}}, /*may_change=*/false)["ok"], true) << command;
  }
  for (const char* command : {"setup-key create", "setup-key revoke", "peer remove", "peer rename",
                              "peer trust", "anything"}) {
    EXPECT_THAT(error_of({{"command", command}, {"peer", "alice"}, {"name", "x"}}, false),
                HasSubstr("root"));
  }
  EXPECT_FALSE(world.peer("alice").is_null());
}

TEST_F(AdministrationTest, SaysWhatIsWrongWithARequest) {
  world.join("alice");
  world.join("bob");
  EXPECT_THAT(error_of({{"command", "nonsense"}}), HasSubstr("unknown command"));
  EXPECT_THAT(error_of({{"command", 5}}), HasSubstr("not a text"));
  EXPECT_THAT(error_of(Json::array()), HasSubstr("JSON"));
  EXPECT_THAT(error_of({{"command", "peer remove"}}), HasSubstr("lacks peer"));
  EXPECT_THAT(error_of({{"command", "peer remove"}, {"peer", "nobody"}}),
              HasSubstr("no machine nobody"));
  EXPECT_THAT(error_of({{"command", "peer rename"}, {"peer", "alice"}, {"name", "Not A Label"}}),
              HasSubstr("small letters"));
  EXPECT_THAT(error_of({{"command", "peer rename"}, {"peer", "alice"}, {"name", "bob"}}),
              HasSubstr("another machine is named bob"));
  EXPECT_THAT(error_of({{"command", "peer trust"}, {"peer", "alice"}}), HasSubstr("alice has not"));
  EXPECT_THAT(error_of({{"command", "setup-key revoke"}, {"id", "nope"}}), HasSubstr("nope"));
  EXPECT_THAT(error_of({{"command", "setup-key create"}, {"limit", 3}}), HasSubstr("reusable"));
  EXPECT_THAT(error_of({{"command", "setup-key create"}, {"reusable", "yes"}}),
              HasSubstr("neither true nor false"));
  for (const Json& seconds : {Json(0), Json(-1), Json(1e30), Json("5"), Json(1.5)}) {
    EXPECT_THAT(error_of({{"command", "setup-key create"}, {"expires_seconds", seconds}}),
                HasSubstr("expires_seconds"));
  }
  EXPECT_THAT(error_of({{"command", "setup-key create"}, {"name", std::string(101, 'x')}}),
              HasSubstr("100"));
  EXPECT_THAT(world.gateway->handle_request(world.now, true, "\xff{{{"), HasSubstr("JSON"));
}

TEST_F(AdministrationTest, FindsMachinesByNameAddressAndKey) {
  world.join("alice");
  const Json listed = world.peer("alice");
  std::string name = "alice";
  int round = 0;
  for (const Json& handle :
       {listed["name"], listed["addresses"][0], listed["addresses"][1], listed["wireguard_key"]}) {
    const std::string next = "alice" + std::to_string(++round);
    const std::string given = handle == "alice" ? name : handle.get<std::string>();
    EXPECT_EQ(world.ask({{"command", "peer rename"}, {"peer", given}, {"name", next}})["ok"], true);
    name = next;
  }
  EXPECT_FALSE(world.peer("alice4").is_null());
}

TEST_F(AdministrationTest, ListsWhatIsKnownOfMachines) {
  world.join("alice");
  world.join_stock("carol");
  const Json ours = world.peer("alice");
  EXPECT_EQ(ours["post_quantum_key"], "here");
  EXPECT_EQ(ours["tls"], "TLSv1.3 X25519MLKEM768");
  EXPECT_EQ(ours["source"], "192.0.2.1");
  EXPECT_EQ(ours["version"], "0.77.1+trellis");
  EXPECT_EQ(ours["addresses"].size(), 2U);
  EXPECT_EQ(ours["rosenpass_key"].get<std::string>().substr(0, 2), "1:");
  EXPECT_TRUE(ours["warnings"].empty());
  EXPECT_EQ(world.peer("carol")["post_quantum_key"], "none");
}

TEST_F(AdministrationTest, ADiskThatIsFullIsSaid) {
  world.join("alice");
  world.store.set_failure("no space left on device");
  for (const Json& request :
       {Json{{"command", "setup-key create"}}, Json{{"command", "peer remove"}, {"peer", "alice"}},
        Json{{"command", "peer rename"}, {"peer", "alice"}, {"name", "x"}}}) {
    EXPECT_THAT(error_of(request), HasSubstr("no space left on device"));
  }
  EXPECT_EQ(world.peer("alice")["connected"], true) << "nothing was done by halves";
}

TEST_F(AdministrationTest, TellsHowTheServerIs) {
  world.join("alice");
  world.advance(59s);
  const Json status = world.ask({{"command", "status"}})["status"];
  EXPECT_EQ(status["peers"], 1);
  EXPECT_EQ(status["connected"], 1);
  EXPECT_EQ(status["connections"], 1);
  EXPECT_EQ(status["domain"], "trellis.internal");
  EXPECT_EQ(status["networks"].size(), 2U);
  EXPECT_EQ(status["uptime_seconds"], 60);
}

}  // namespace
}  // namespace trellis::server
