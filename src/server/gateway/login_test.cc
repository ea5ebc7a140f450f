#include "protocol/control/key_text.h"
#include "server/gateway/fixture_test.h"

#include <gmock/gmock.h>

#include <set>

namespace trellis::server {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

class LoginTest : public GatewayTest {};

TEST_F(LoginTest, AdmitsAMachineWithASetupKey) {
  Client& alice = world.connect(world.machine("Alice.example.org"));
  const auto status = alice.log_in(world.setup_key());
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(alice.login.trellis().name(), "alice");
  EXPECT_EQ(alice.login.trellis().domain(), "trellis.internal");
  EXPECT_TRUE(alice.login.trellis().key_wanted());
  EXPECT_EQ(alice.login.trellis().key_offset(), 0U);
  EXPECT_EQ(alice.login.infrastructure().signal().uri(), "vpn.test:8443");
  EXPECT_EQ(alice.login.infrastructure().signal().protocol(), wire::management::HostConfig::HTTPS);
  const auto address = InterfaceAddress::parse(alice.login.peer_config().address());
  ASSERT_TRUE(address);
  EXPECT_EQ(address->length, 16);
  EXPECT_TRUE(Prefix::parse("100.64.0.0/10")->contains(address->address));
  EXPECT_EQ(alice.login.peer_config().fqdn(), "alice.trellis.internal");
  EXPECT_EQ(alice.login.peer_config().address_v6().size(), 17U);
  EXPECT_EQ(static_cast<std::uint8_t>(alice.login.peer_config().address_v6()[0]), 0xfd);
}

TEST_F(LoginTest, RefusesAStrangerWithoutASetupKeyInTheWordsOfStockServers) {
  for (const bool ours : {true, false}) {
    const Machine& machine = ours ? world.machine("x") : world.stock_machine("x");
    Client& client = world.connect(machine);
    const auto status = client.log_in();
    EXPECT_EQ(status.code, StatusCode::PermissionDenied);
    EXPECT_EQ(status.message,
              "no peer auth method provided, please use a setup key or interactive SSO login");
    EXPECT_EQ(client.log_in("00000000-0000-0000-0000-000000000000").code,
              StatusCode::PermissionDenied);
  }
  EXPECT_TRUE(world.ask({{"command", "peer list"}})["peers"].empty());
}

TEST_F(LoginTest, RefusesEveryBadSetupKeyWithOneText) {
  const std::string revoked = world.setup_key();
  const Json list = world.ask({{"command", "setup-key list"}})["setup_keys"];
  for (const Json& key : list) {
    if (!key["reusable"]) world.ask({{"command", "setup-key revoke"}, {"id", key["id"]}});
  }
  const std::string expired = world.setup_key({{"expires_seconds", 60}});
  const std::string used = world.setup_key();
  const std::string limited = world.setup_key({{"reusable", true}, {"limit", 2}});
  ASSERT_TRUE(world.connect(world.machine("a")).log_in(used).ok());
  ASSERT_TRUE(world.connect(world.machine("b")).log_in(limited).ok());
  ASSERT_TRUE(world.connect(world.machine("c")).log_in(limited).ok());
  world.advance(61s);
  std::set<std::string> texts;
  for (const std::string& key :
       {revoked, expired, used, limited, std::string("A2C8E62B-38F5-4553-B31E-DD66C696CEBB"),
        std::string("not a key"), std::string(5000, 'x')}) {
    const auto status = world.connect(world.machine("mallory")).log_in(key);
    EXPECT_EQ(status.code, StatusCode::InvalidArgument) << key;
    texts.insert(status.message);
  }
  EXPECT_EQ(texts.size(), 1U);
  EXPECT_EQ(world.ask({{"command", "peer list"}})["peers"].size(), 3U);
}

TEST_F(LoginTest, FiftyLoginsWithOneOneOffKeyMakeOneMember) {
  const std::string key = world.setup_key();
  std::vector<std::pair<Client*, grpc::CallId>> calls;
  for (int i = 0; i < 50; ++i) {
    Client& client = world.connect(world.machine("m"), "192.0.2." + std::to_string(i + 1));
    client.server_key();
    calls.emplace_back(&client, client.start_login(key));
  }
  int admitted = 0;
  for (const auto& [client, call] : calls) admitted += client->status_of(call).ok() ? 1 : 0;
  EXPECT_EQ(admitted, 1);
  EXPECT_EQ(world.ask({{"command", "peer list"}})["peers"].size(), 1U);
}

TEST_F(LoginTest, AnAnswerThatIsLostLocksNobodyOut) {
  const std::string key = world.setup_key();
  Machine& machine = world.machine("alice");
  Client& first = world.connect(machine);
  first.server_key();
  first.start_login(key);
  world.cut(first);  // before the machine has seen the answer, for all it knows
  Client& second = world.connect(machine);
  EXPECT_TRUE(second.log_in(key).ok()) << "with the key that is used up";
  EXPECT_TRUE(second.log_in().ok());
  EXPECT_EQ(world.ask({{"command", "peer list"}})["peers"].size(), 1U);
  EXPECT_EQ(world.ask({{"command", "setup-key list"}})["setup_keys"][0]["used"].get<int>() +
                world.ask({{"command", "setup-key list"}})["setup_keys"][1]["used"].get<int>(),
            1);
}

TEST_F(LoginTest, MakesNamesUniqueAndKeepsThem) {
  Machine& first = world.machine("Web Server!");
  Machine& second = world.machine("web-server.example.org");
  Client& a = world.connect(first);
  Client& b = world.connect(second);
  ASSERT_TRUE(a.log_in(everybody).ok());
  ASSERT_TRUE(b.log_in(everybody).ok());
  EXPECT_EQ(a.login.trellis().name(), "web-server");
  EXPECT_EQ(b.login.trellis().name(), "web-server-2");
  ASSERT_EQ(b.login.trellis().warnings_size(), 1);
  EXPECT_THAT(b.login.trellis().warnings(0), HasSubstr("web-server-2"));
  // What the system calls itself later changes nothing. [netbird-wire 1.4]
  first.host_name = "other";
  ASSERT_TRUE(a.log_in().ok());
  EXPECT_EQ(a.login.trellis().name(), "web-server");
  EXPECT_EQ(world.peer("web-server")["host_name"], "other");
}

TEST_F(LoginTest, GivesEachMachineAddressesOfItsOwnAndKeepsThem) {
  std::set<std::string> addresses;
  std::string of_the_first;
  Machine* first = nullptr;
  for (int i = 0; i < 20; ++i) {
    Machine& machine = world.machine("m" + std::to_string(i));
    Client& client = world.connect(machine);
    ASSERT_TRUE(client.log_in(everybody).ok());
    addresses.insert(client.login.peer_config().address());
    addresses.insert(client.login.peer_config().address_v6());
    if (!first) {
      first = &machine;
      of_the_first = client.login.peer_config().address();
    }
  }
  EXPECT_EQ(addresses.size(), 40U);
  world.crash();
  world.start();
  Client& again = world.connect(*first);
  ASSERT_TRUE(again.log_in().ok());
  EXPECT_EQ(again.login.peer_config().address(), of_the_first);
}

TEST_F(LoginTest, TakesNoProofOfAnotherConnection) {
  Client& alice = world.connect(world.machine("alice"));
  alice.server_key();
  alice.nonce = ByteVector(32, std::byte{7});
  EXPECT_EQ(alice.log_in(everybody).code, StatusCode::Unauthenticated);
  alice.nonce.clear();
  EXPECT_EQ(alice.log_in(everybody).code, StatusCode::Unauthenticated);
  EXPECT_TRUE(world.ask({{"command", "peer list"}})["peers"].empty());
}

TEST_F(LoginTest, AConnectionBelongsToOneMachine) {
  World::Member alice = world.join("alice");
  // What a program with two keys would send: bob's box on the connection that alice has proven.
  Machine& bob = world.machine("bob");
  const auto box = control::BoxChannel::create(
      bob.wireguard, *control::parse_key_text(alice.client->server_key().key()));
  wire::management::LoginRequest request;
  request.set_setup_key(everybody);
  request.mutable_trellis()->set_connection_nonce(
      std::string(reinterpret_cast<const char*>(alice.client->nonce.data()), 32));
  request.mutable_trellis()->set_instance(std::string(16, 'x'));
  const auto call =
      alice.client->ask(control::kLogin, control::seal_message(*box, request, world.random));
  EXPECT_EQ(alice.client->status_of(call).code, StatusCode::FailedPrecondition);
}

TEST_F(LoginTest, PinsTheRosenpassKeyUntilAnAdministratorTrustsAnother) {
  World::Member alice = world.join("alice");
  World::Member bob = world.join("bob");
  const Machine& other = world.machine("x");
  const KeyName before = alice.machine->key_name;
  alice.machine->key_name = other.key_name;
  alice.machine->rosenpass = other.rosenpass;
  const auto status = alice.client->log_in();
  EXPECT_EQ(status.code, StatusCode::FailedPrecondition);
  EXPECT_THAT(status.message, HasSubstr("trellis server peer trust alice"));
  EXPECT_THAT(world.peer("alice")["warnings"].dump(), HasSubstr("another Rosenpass key"));

  EXPECT_TRUE(world.ask({{"command", "peer trust"}, {"peer", "alice"}})["ok"]);
  EXPECT_FALSE(world.files.is_complete(before));
  ASSERT_TRUE(alice.client->log_in().ok());
  EXPECT_TRUE(alice.client->login.trellis().key_wanted());
  EXPECT_TRUE(alice.client->upload_reply(alice.client->upload(other.rosenpass, 0)).complete());
  world.advance(1s);
  const auto map = bob.client->last_map(bob.sync);
  ASSERT_EQ(map.trellis().changed_size(), 1);
  EXPECT_EQ(map.trellis().changed(0).trellis_key_name(),
            std::string(reinterpret_cast<const char*>(other.key_name.data()), 33));
  EXPECT_FALSE(world.ask({{"command", "peer trust"}, {"peer", "alice"}})["ok"]) << "nothing asked";
}

TEST_F(LoginTest, AMachineOfOursThatComesWithoutItsKeyIsRefused) {
  World::Member alice = world.join("alice");
  alice.machine->rosenpass.clear();  // as if a stock agent ran with its WireGuard key
  EXPECT_EQ(world.connect(*alice.machine).log_in().code, StatusCode::FailedPrecondition);
  EXPECT_TRUE(world.ask({{"command", "peer trust"}, {"peer", "alice"}})["ok"]);
  EXPECT_TRUE(world.connect(*alice.machine).log_in().ok());
  EXPECT_EQ(world.peer("alice")["post_quantum_key"], "none");
}

TEST_F(LoginTest, AStockMachineThatGetsAKeyIsTakenAtItsWord) {
  World::Member alice = world.join_stock("alice");
  const Machine& donor = world.machine("x");
  alice.machine->rosenpass = donor.rosenpass;
  alice.machine->key_name = donor.key_name;
  Client& again = world.connect(*alice.machine);
  ASSERT_TRUE(again.log_in().ok());
  EXPECT_TRUE(again.login.trellis().key_wanted());
}

TEST_F(LoginTest, OneRosenpassKeyIsOfOneMachine) {
  World::Member alice = world.join("alice");
  Machine& thief = world.machine("thief");
  thief.key_name = alice.machine->key_name;
  const auto status = world.connect(thief).log_in(everybody);
  EXPECT_EQ(status.code, StatusCode::FailedPrecondition);
  EXPECT_THAT(status.message, HasSubstr("another machine"));
}

TEST_F(LoginTest, ADiskThatIsFullAdmitsNobodyAndStopsNoMember) {
  World::Member alice = world.join("alice");
  const std::string key = world.setup_key();
  world.store.set_failure("no space left on device");
  Machine& machine = world.machine("bob");
  Client& bob = world.connect(machine);
  const auto status = bob.log_in(key);
  EXPECT_EQ(status.code, StatusCode::Unavailable);
  EXPECT_THAT(status.message, HasSubstr("the server cannot store"));
  EXPECT_THAT(status.message, Not(HasSubstr("no space left on device"))) << "it is in the log";
  EXPECT_EQ(world.ask({{"command", "peer list"}})["peers"].size(), 1U);
  alice.machine->host_name = "new";
  EXPECT_TRUE(alice.client->log_in().ok());
  world.store.set_failure("");
  EXPECT_TRUE(bob.log_in(key).ok()) << "the key was not spent";
}

TEST_F(LoginTest, WhatCannotBeReadIsRefused) {
  Client& alice = world.connect(world.machine("alice"));
  const auto code_of = [&](ByteView message) {
    return alice.status_of(alice.ask(control::kLogin, message)).code;
  };
  EXPECT_EQ(code_of({}), StatusCode::InvalidArgument);
  EXPECT_EQ(code_of(as_bytes("garbage")), StatusCode::InvalidArgument);
  ByteVector sealed = alice.sealed(wire::management::LoginRequest{});
  sealed.back() ^= std::byte{1};
  EXPECT_EQ(code_of(sealed), StatusCode::InvalidArgument);
  control::Envelope of_small_order;  // all bytes zero
  of_small_order.body.resize(100);
  EXPECT_EQ(code_of(control::format_envelope(of_small_order)), StatusCode::InvalidArgument);
  EXPECT_TRUE(alice.open);
}

TEST_F(LoginTest, RefusesFieldsOfOursThatAreNotWellFormed) {
  Machine& machine = world.machine("alice");
  Client& alice = world.connect(machine);
  machine.key_name[0] = std::byte{99};  // no such suite
  EXPECT_EQ(alice.log_in(everybody).code, StatusCode::InvalidArgument);
  wire::management::LoginRequest request;
  request.set_setup_key(everybody);
  request.mutable_trellis()->set_connection_nonce(
      std::string(reinterpret_cast<const char*>(alice.nonce.data()), alice.nonce.size()));
  request.mutable_trellis()->set_instance("short");
  EXPECT_EQ(alice.status_of(alice.ask(control::kLogin, alice.sealed(request))).code,
            StatusCode::InvalidArgument);
}

TEST_F(LoginTest, LogoutRemovesTheMachine) {
  World::Member alice = world.join("alice");
  World::Member bob = world.join("bob");
  const auto call =
      alice.client->ask(control::kLogout, alice.client->sealed(wire::management::Empty{}));
  EXPECT_TRUE(alice.client->status_of(call).ok());
  EXPECT_TRUE(world.peer("alice").is_null());
  EXPECT_FALSE(world.files.is_complete(alice.machine->key_name));
  world.advance(1s);
  EXPECT_EQ(bob.client->last_map(bob.sync).trellis().removed_size(), 1);
  EXPECT_EQ(alice.client->log_in().code, StatusCode::PermissionDenied);
  EXPECT_TRUE(alice.client->log_in(everybody).ok()) << "as a new machine";
}

TEST_F(LoginTest, NobodyIsLoggedOutByAnother) {
  World::Member alice = world.join("alice");
  Client& elsewhere = world.connect(*alice.machine);  // a box, but no proof on this connection
  const auto call = elsewhere.ask(control::kLogout, elsewhere.sealed(wire::management::Empty{}));
  EXPECT_EQ(elsewhere.status_of(call).code, StatusCode::Unauthenticated);
  EXPECT_FALSE(world.peer("alice").is_null());
}

TEST_F(LoginTest, KeepsFromLaterMetasWhatIsForLists) {
  World::Member alice = world.join_stock("alice");
  wire::management::SyncMetaRequest request;
  request.mutable_meta()->set_hostname("renamed");
  request.mutable_meta()->set_netbird_version("0.78.0");
  const auto call = alice.client->ask(control::kSyncMeta, alice.client->sealed(request));
  EXPECT_TRUE(alice.client->status_of(call).ok());
  EXPECT_EQ(world.peer("alice")["host_name"], "renamed");
  EXPECT_EQ(world.peer("alice")["version"], "0.78.0");
}

}  // namespace
}  // namespace trellis::server
