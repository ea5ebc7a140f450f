#include "node/uplink/fixture_test.h"

namespace trellis::uplink {
namespace {

TEST_F(UplinkTest, JoinsWithASetupKeyInOneLogin) {
  Options first_time = options();
  first_time.never_joined = true;
  agent_ = make_agent(alice_, kAliceAt, std::move(first_time));
  give_setup_key(kGoodKey);
  const TimePoint start = net_.now();
  ASSERT_TRUE(run_until_event<Synced>(1s));
  // Connecting, the server's key, Login, Sync: a round trip each.
  EXPECT_EQ(net_.now() - start, 80ms);
  ASSERT_EQ(server_.logins.size(), 1U);
  const auto login = agent_->all<LoggedIn>().at(0);
  EXPECT_TRUE(login.registered);
  EXPECT_EQ(login.name, "alice");
  EXPECT_EQ(login.domain, "trellis.internal");
  EXPECT_EQ(login.server_key, crypto::public_key(server_.box));
  ASSERT_EQ(login.addresses.size(), 1U);
  EXPECT_EQ(login.addresses[0].to_string(), "100.92.0.1/16");
  ASSERT_TRUE(uplink().map());
  EXPECT_EQ(uplink().map()->peers.at(0).name, "bob");
  EXPECT_EQ(agent_->all<MapChanged>().at(0).map, *uplink().map());
  EXPECT_TRUE(run_until_event<SignalUp>(1s));
}

TEST_F(UplinkTest, TellsTheServerWhoItIs) {
  Options permissive = options();
  permissive.strict = false;
  agent_ = make_agent(alice_, kAliceAt, std::move(permissive));
  give_setup_key(kGoodKey);
  ASSERT_TRUE(run_until_event<Synced>(1s));
  const auto& [from, request] = server_.logins.back();
  EXPECT_EQ(from, alice_.public_key);
  EXPECT_EQ(request.meta().hostname(), "alice");
  EXPECT_EQ(request.meta().netbird_version(), "0.77.1+trellis");
  EXPECT_TRUE(request.meta().flags().rosenpass());
  EXPECT_TRUE(request.meta().flags().rosenpass_permissive());
  EXPECT_EQ(request.meta().sync_version(), 0);
  EXPECT_EQ(request.peer_keys().wg_key_text(), control::key_text(alice_.public_key));
  EXPECT_EQ(request.trellis().key_name(), alice_.key_name_field());
  EXPECT_EQ(request.trellis().instance(), std::string(16, 7));
  EXPECT_FALSE(request.trellis().strict());
  EXPECT_EQ(server_.syncs.at(0).trellis().connection_nonce(), request.trellis().connection_nonce());
  EXPECT_TRUE(server_.syncs.at(0).trellis().deltas());
}

TEST_F(UplinkTest, ShowsTheSetupKeyOnlyToAServerThatDoesNotKnowUs) {
  server_.members.insert(alice_.public_key);
  agent_ = make_agent(alice_, kAliceAt);
  give_setup_key(kGoodKey);
  ASSERT_TRUE(run_until_event<Synced>(1s));
  ASSERT_EQ(server_.logins.size(), 1U);
  EXPECT_TRUE(server_.logins[0].request.setup_key().empty());
  EXPECT_FALSE(agent_->all<LoggedIn>().at(0).registered);
}

TEST_F(UplinkTest, ForgetsTheSetupKeyWhenItIsIn) {
  agent_ = make_agent(alice_, kAliceAt);
  give_setup_key(kGoodKey);
  ASSERT_TRUE(run_until_event<Synced>(1s));
  server_.members.clear();
  streams_.cut_all(kAliceAt);
  ASSERT_TRUE(run_until_event<Refused>(2s));
  EXPECT_EQ(agent_->all<Refused>().at(0).reason, Refusal::Removed);
  EXPECT_TRUE(server_.logins.back().request.setup_key().empty());
}

TEST_F(UplinkTest, KeepsNoSetupKeyThatItDoesNotNeed) {
  start_member();
  give_setup_key(kGoodKey);
  server_.members.clear();
  streams_.cut_all(kAliceAt);
  ASSERT_TRUE(run_until_event<Refused>(2s));
  EXPECT_EQ(agent_->all<Refused>().at(0).reason, Refusal::Removed);
}

TEST_F(UplinkTest, AsksWithoutTheSetupKeyAfterALoginWhoseAnswerWasLost) {
  Options first_time = options();
  first_time.never_joined = true;
  agent_ = make_agent(alice_, kAliceAt, std::move(first_time));
  give_setup_key(kGoodKey);
  ASSERT_TRUE(net_.run_until(1s, [&] { return !server_.logins.empty(); }));
  server_.setup_key = "spent";  // it was a one-off key
  streams_.cut_all(kAliceAt);
  ASSERT_TRUE(run_until_event<Synced>(2s));
  ASSERT_EQ(server_.logins.size(), 2U);
  EXPECT_FALSE(server_.logins[0].request.setup_key().empty());
  EXPECT_TRUE(server_.logins[1].request.setup_key().empty());
}

TEST_F(UplinkTest, SaysSoWhenItHasNoSetupKey) {
  agent_ = make_agent(alice_, kAliceAt);
  ASSERT_TRUE(run_until_event<Refused>(1s));
  const Refused refused = agent_->all<Refused>().at(0);
  EXPECT_EQ(refused.reason, Refusal::NotMember);
  EXPECT_TRUE(refused.permanent);
  EXPECT_NE(refused.message.find("setup key"), std::string::npos);
  net_.run_for(1h);
  EXPECT_EQ(status().counters.connects, 1U);
  EXPECT_EQ(status().server, LineState::Refused);
  EXPECT_EQ(status().next_try, std::nullopt);
  give_setup_key(kGoodKey);
  EXPECT_TRUE(run_until_event<Synced>(1s));
}

TEST_F(UplinkTest, GivesABadSetupKeyUpAtOnceAndTakesABetterOne) {
  agent_ = make_agent(alice_, kAliceAt);
  give_setup_key(kBadKey);
  ASSERT_TRUE(run_until_event<Refused>(1s));
  const Refused refused = agent_->all<Refused>().at(0);
  EXPECT_EQ(refused.reason, Refusal::SetupKey);
  EXPECT_TRUE(refused.permanent);
  EXPECT_NE(refused.message.find("setup key is expired"), std::string::npos);
  EXPECT_EQ(refused.message.find("38F5"), std::string::npos);
  net_.run_for(10min);
  EXPECT_EQ(server_.logins.size(), 2U);
  give_setup_key(kGoodKey);
  EXPECT_TRUE(run_until_event<Synced>(1s));
}

TEST_F(UplinkTest, RefusesATextThatIsNoSetupKeyWithoutQuotingIt) {
  agent_ = make_agent(alice_, kAliceAt);
  const auto result = uplink().set_setup_key(net_.now(), SecretBuffer(as_bytes("not-a-setup-key")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message.find("not-a-setup-key"), std::string::npos);
}

TEST_F(UplinkTest, KeepsTheSetupKeyWhileTheServerCannotStoreAnything) {
  int failures = 2;
  server_.fault = [&](const std::string& method) -> std::optional<grpc::Status> {
    if (method != control::kLogin || server_.called(method) % 2 == 1 || failures == 0) return {};
    --failures;
    return grpc::Status{grpc::StatusCode::Unavailable, "the disk is full"};
  };
  agent_ = make_agent(alice_, kAliceAt);
  give_setup_key(kGoodKey);
  ASSERT_TRUE(net_.run_until(1s, [&] { return failures == 1; }));
  net_.run_for(20ms);
  EXPECT_NE(status().server_error.find("the disk is full"), std::string::npos);
  EXPECT_TRUE(run_until_event<Synced>(5s));
  EXPECT_FALSE(agent_->has<Refused>());
}

TEST_F(UplinkTest, AsksAgainSlowlyWhileItsKeysAreInUseElsewhere) {
  server_.members.insert(alice_.public_key);
  bool elsewhere = true;
  server_.fault = [&](const std::string& method) -> std::optional<grpc::Status> {
    if (method != control::kLogin || !elsewhere) return {};
    return grpc::Status{grpc::StatusCode::FailedPrecondition, "this key is in use at 192.0.2.66"};
  };
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(1min);
  ASSERT_EQ(agent_->all<Refused>().size(), 1U);  // told once
  const Refused refused = agent_->all<Refused>().at(0);
  EXPECT_EQ(refused.reason, Refusal::Conflict);
  EXPECT_FALSE(refused.permanent);
  EXPECT_NE(refused.message.find("192.0.2.66"), std::string::npos);
  EXPECT_LT(status().counters.connects, 10U);
  EXPECT_NE(status().next_try, std::nullopt);
  elsewhere = false;
  EXPECT_TRUE(run_until_event<Synced>(14s));
}

TEST_F(UplinkTest, NoticesAServerThatIsNotOurs) {
  server_.gives_nonce = false;
  agent_ = make_agent(alice_, kAliceAt);
  ASSERT_TRUE(run_until_event<Refused>(1s));
  EXPECT_EQ(agent_->all<Refused>().at(0).reason, Refusal::NotOurServer);
  EXPECT_TRUE(server_.logins.empty());
  server_.gives_nonce = true;
  server_.members.insert(alice_.public_key);
  EXPECT_TRUE(run_until_event<Synced>(15s));
}

TEST_F(UplinkTest, SurvivesAnswersThatCannotBeRead) {
  server_.members.insert(alice_.public_key);
  server_.map.mutable_peer_config()->set_address("everywhere");
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(1s);
  EXPECT_FALSE(agent_->has<LoggedIn>());
  EXPECT_NE(status().server_error.find("no valid address"), std::string::npos);
  server_.map.mutable_peer_config()->set_address("100.92.0.1/16");
  EXPECT_TRUE(run_until_event<Synced>(10s));
}

TEST_F(UplinkTest, DoesNotWaitForEverForAnAnswer) {
  server_.members.insert(alice_.public_key);
  for (const auto method : {control::kGetServerKey, control::kLogin}) {
    agent_.reset();
    server_.silent = {std::string(method)};
    agent_ = make_agent(alice_, kAliceAt);
    net_.run_for(9s);
    if (method == control::kLogin) net_.run_for(2s);
    EXPECT_GE(status().counters.connects, 2U) << method;
    server_.silent.clear();
    EXPECT_TRUE(run_until_event<Synced>(30s)) << method;
  }
}

}  // namespace
}  // namespace trellis::uplink
