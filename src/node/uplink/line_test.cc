#include "node/uplink/fixture_test.h"

namespace trellis::uplink {
namespace {

class LineTest : public UplinkTest {
 protected:
  /// From the server's return until the agent has its map again.
  Duration found_again_after(Duration away) {
    agent_->events().clear();
    streams_.stop_listening(kServerAt);
    streams_.cut_all(kAliceAt);
    net_.run_for(away);
    streams_.listen(kServerAt, server_);
    const TimePoint back = net_.now();
    EXPECT_TRUE(run_until_event<Synced>(20s));
    net_.run_for(1min);
    return net_.now() - 1min - back;
  }
};

TEST_F(LineTest, FindsARestartedServerSoon) {
  start_member();
  net_.run_for(1min);
  for (const Duration away : {Duration(0ms), Duration(100ms), Duration(300ms), Duration(700ms)}) {
    EXPECT_LT(found_again_after(away), 700ms);
  }
  EXPECT_LT(found_again_after(1h), 14s);
}

TEST_F(LineTest, TriesMoreAndMoreSeldom) {
  streams_.stop_listening(kServerAt);
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(10min);
  EXPECT_GT(status().counters.connects, 60U);
  EXPECT_LT(status().counters.connects, 90U);
  EXPECT_EQ(status().server, LineState::Waiting);
  EXPECT_EQ(status().server_error, "the server cannot be reached: connection refused");
  ASSERT_TRUE(status().next_try);
  EXPECT_LT(*status().next_try - net_.now(), 13s);
}

TEST_F(LineTest, DoesNotHammerAServerThatDropsItAfterEveryLogin) {
  server_.members.insert(alice_.public_key);
  agent_ = make_agent(alice_, kAliceAt);
  for (int i = 0; i < 600; ++i) {
    net_.run_for(100ms);
    if (status().server == LineState::Up) streams_.cut_all(kAliceAt);
  }
  EXPECT_LT(status().counters.connects, 20U);
}

TEST_F(LineTest, TriesAtOnceWhenToldTo) {
  streams_.stop_listening(kServerAt);
  server_.members.insert(alice_.public_key);
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(10min);
  streams_.listen(kServerAt, server_);
  uplink().retry_now(net_.now());
  EXPECT_TRUE(run_until_event<Synced>(100ms));
}

TEST_F(LineTest, ConnectsAnewWhenTheNetworkHasChangedAndNothingAnswers) {
  start_member();
  streams_.set_silent(kAliceAt, true);
  net_.run_for(1s);
  uplink().retry_now(net_.now());
  net_.run_for(2s);
  EXPECT_EQ(status().server, LineState::Up);
  net_.run_for(1200ms);
  EXPECT_EQ(status().counters.connects, 2U);
  EXPECT_NE(status().server_error.find("did not answer"), std::string::npos);
}

TEST_F(LineTest, StaysWhenTheNetworkHasChangedAndTheServerAnswers) {
  start_member();
  uplink().retry_now(net_.now());
  net_.run_for(1min);
  EXPECT_EQ(status().counters.connects, 1U);
  EXPECT_EQ(status().server, LineState::Up);
}

TEST_F(LineTest, NoticesASilentServer) {
  start_member();
  streams_.set_silent(kAliceAt, true);
  net_.run_for(45s);
  EXPECT_NE(status().server, LineState::Up);
  EXPECT_TRUE(agent_->has<SignalDown>());
  streams_.set_silent(kAliceAt, false);
  agent_->events().clear();
  EXPECT_TRUE(run_until_event<Synced>(30s));
}

TEST_F(LineTest, GivesUpAConnectionThatNeverOpens) {
  streams_.set_silent(kServerAt.address, true);
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(21s);
  EXPECT_EQ(status().counters.connects, 2U);
  EXPECT_EQ(status().server, LineState::Connecting);
}

TEST_F(LineTest, ComesBackToAServerThatGoesAway) {
  start_member();
  agent_->events().clear();
  server_.go_away();
  ASSERT_TRUE(run_until_event<Synced>(1s));
  EXPECT_EQ(status().counters.connects, 2U);
}

TEST_F(LineTest, LeavesTheNetwork) {
  start_member();
  uplink().log_out(net_.now());
  ASSERT_TRUE(run_until_event<LoggedOut>(1s));
  EXPECT_EQ(agent_->all<LoggedOut>().at(0).error, std::nullopt);
  EXPECT_FALSE(server_.members.contains(alice_.public_key));
  net_.run_for(1h);
  EXPECT_EQ(status().server, LineState::LoggedOut);
  EXPECT_EQ(status().counters.connects, 1U);
  EXPECT_EQ(streams_.connections(), 0U);
  EXPECT_EQ(uplink().next_timeout(), std::nullopt);
}

TEST_F(LineTest, LeavesTheNetworkAsSoonAsTheLineIsUp) {
  server_.members.insert(alice_.public_key);
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(25ms);
  uplink().log_out(net_.now());
  ASSERT_TRUE(run_until_event<LoggedOut>(1s));
  EXPECT_EQ(agent_->all<LoggedOut>().at(0).error, std::nullopt);
  EXPECT_EQ(server_.called(control::kSync), 0);
}

TEST_F(LineTest, HasLeftANetworkThatDoesNotKnowIt) {
  agent_ = make_agent(alice_, kAliceAt);
  ASSERT_TRUE(run_until_event<Refused>(1s));
  uplink().log_out(net_.now());
  ASSERT_TRUE(run_until_event<LoggedOut>(1s));
  EXPECT_EQ(agent_->all<LoggedOut>().at(0).error, std::nullopt);
}

TEST_F(LineTest, SaysThatTheServerCouldNotBeTold) {
  start_member();
  streams_.stop_listening(kServerAt);
  streams_.cut_all(kAliceAt);
  net_.run_for(1s);
  uplink().log_out(net_.now());
  ASSERT_TRUE(run_until_event<LoggedOut>(16s));
  ASSERT_TRUE(agent_->all<LoggedOut>().at(0).error);
  EXPECT_NE(agent_->all<LoggedOut>().at(0).error->find("connection refused"), std::string::npos);
}

TEST_F(LineTest, ClosesTheTransportWithEveryLineThatItGivesUp) {
  server_.members.insert(alice_.public_key);
  server_.silent = {std::string(control::kLogin)};
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(5min);
  EXPECT_GT(status().counters.connects, 10U);
  EXPECT_LE(streams_.connections(), 1U);
}

/// Cuts, silences and restarts at random moments, keys in both directions meanwhile.
TEST_F(LineTest, ComesThroughRandomTrouble) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    testing::SeededRandom random(seed);
    server_.keys = {{bob_.key_name_field(), bob_.rosenpass}};
    server_.members = {alice_.public_key};
    streams_.set_faults(
        {.delay = 10ms, .jitter = 20ms, .piece_bytes_max = 5000, .window_bytes = 32 << 10});
    agent_ = make_agent(alice_, kAliceAt);
    uplink().fetch_key(net_.now(), bob_.name);
    for (int i = 0; i < 12; ++i) {
      net_.run_for(std::chrono::milliseconds(random.below(400)));
      switch (random.below(4)) {
        case 0:
          streams_.set_silent(kAliceAt, random.below(2) == 0);
          break;
        case 1:
          server_.end_all(random.below(2) == 0 ? control::kSync : control::kSignalConnectStream,
                          {grpc::StatusCode::Unavailable, ""});
          break;
        default:
          streams_.cut_all(kAliceAt);
      }
    }
    streams_.set_silent(kAliceAt, false);
    EXPECT_TRUE(net_.run_until(30s, [&] {
      const Status now = status();
      return now.synced && now.signal == SignalState::Up && !now.upload && now.fetches.empty();
    }));
    EXPECT_EQ(agent_->all<KeyFetched>().at(0).bytes, bob_.rosenpass);
    EXPECT_EQ(server_.keys[alice_.key_name_field()], alice_.rosenpass);
    agent_.reset();
  }
}

}  // namespace
}  // namespace trellis::uplink
