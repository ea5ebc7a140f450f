#include "node/uplink/fixture_test.h"

namespace trellis::uplink {
namespace {

using wire::signal::Body;

class SignalTest : public UplinkTest {
 protected:
  static Body body(Body::Type type, const std::string& payload) {
    Body result;
    result.set_type(type);
    result.set_payload(payload);
    return result;
  }
  void to_bob(Body::Type type, const std::string& payload) {
    uplink().send_signal(net_.now(), bob_.public_key, body(type, payload));
  }
  ByteVector sealed(const Person& from, const crypto::PublicKey& to, const Body& what) {
    return control::seal_signal_message(*control::BoxChannel::create(from.key, to), what, random_);
  }
  /// Bob, with a map that has Alice.
  void start_bob() {
    server_.members.insert(bob_.public_key);
    server_.keys[bob_.key_name_field()] = bob_.rosenpass;
    wire::management::NetworkMap of_alice = server_.map;
    server_.map.mutable_peer_config()->set_address("100.92.0.2/16");
    server_.map.mutable_peer_config()->set_fqdn("bob.trellis.internal");
    *server_.map.mutable_remote_peers(0) = entry(alice_, "alice", "100.92.0.1/32");
    Options his = options();
    his.instance.fill(std::byte{9});
    bob_agent_ = make_agent(bob_, kBobAt, std::move(his));
    ASSERT_TRUE(net_.run_until(
        1s, [&] { return bob_agent_->has<SignalUp>() && bob_agent_->has<Synced>(); }));
    server_.map = of_alice;
  }
  std::vector<std::string> received() const {
    std::vector<std::string> result;
    for (const Signal& signal : bob_agent_->all<Signal>()) {
      EXPECT_EQ(signal.from, alice_.public_key);
      result.push_back(signal.body.payload());
    }
    return result;
  }

  std::unique_ptr<TestAgent> bob_agent_;
};

using Payloads = std::vector<std::string>;

TEST_F(SignalTest, CarriesMessagesInOrder) {
  start_bob();
  start_member();
  Payloads sent;
  for (int i = 0; i < 10; ++i) {
    sent.push_back(std::to_string(i));
    to_bob(Body::ANSWER, sent.back());
  }
  net_.run_for(1s);
  EXPECT_EQ(received(), sent);
  EXPECT_EQ(status().counters.signals_sent, 10U);
  EXPECT_EQ(bob_agent_->uplink().status().counters.signals_received, 10U);
}

TEST_F(SignalTest, SendsOnlyTheNewestOfOffersThatWait) {
  start_bob();
  start_member();
  server_.end_all(control::kSync, {});
  streams_.cut_all(kAliceAt);
  net_.run_for(1ms);
  to_bob(Body::OFFER, "first");
  to_bob(Body::ANSWER, "answer");
  to_bob(Body::OFFER, "second");
  to_bob(Body::OFFER, "third");
  net_.run_for(2s);
  EXPECT_EQ(received(), (Payloads{"answer", "third"}));
}

TEST_F(SignalTest, KeepsNoMoreThanAFewAndNoneForLong) {
  start_bob();
  start_member();
  streams_.stop_listening(kServerAt);
  streams_.cut_all(kAliceAt);
  net_.run_for(1ms);
  for (int i = 0; i < 20; ++i) to_bob(Body::ANSWER, std::to_string(i));
  EXPECT_EQ(status().counters.signals_dropped, 4U);
  net_.run_for(31s);
  EXPECT_EQ(status().counters.signals_dropped, 20U);
  to_bob(Body::ANSWER, "late");
  streams_.listen(kServerAt, server_);
  net_.run_for(15s);
  EXPECT_EQ(received(), Payloads{"late"});
}

TEST_F(SignalTest, SendsAgainWhatTheServerCouldNotTake) {
  start_bob();
  start_member();
  int failures = 2;
  server_.fault = [&](const std::string& method) -> std::optional<grpc::Status> {
    if (method != control::kSignalSend || failures == 0) return {};
    --failures;
    return grpc::Status{grpc::StatusCode::Unavailable, "busy"};
  };
  to_bob(Body::OFFER, "hello");
  net_.run_for(5s);
  EXPECT_EQ(received(), Payloads{"hello"});

  server_.fault = [](const std::string& method) -> std::optional<grpc::Status> {
    if (method != control::kSignalSend) return {};
    return grpc::Status{grpc::StatusCode::PermissionDenied, "a policy forbids it"};
  };
  to_bob(Body::OFFER, "forbidden");
  net_.run_for(5s);
  EXPECT_EQ(status().counters.signals_dropped, 1U);
}

TEST_F(SignalTest, SendsNothingToWhomTheMapDoesNotName) {
  start_member();
  const Person stranger(random_);
  uplink().send_signal(net_.now(), stranger.public_key, body(Body::OFFER, "who are you?"));
  net_.run_for(1s);
  EXPECT_EQ(server_.called(control::kSignalSend), 0);
  EXPECT_EQ(status().counters.signals_dropped, 1U);
}

TEST_F(SignalTest, HandsOnOnlyWhatAPeerOfTheMapSealedForUs) {
  start_member();
  const Person stranger(random_);
  const Body offer = body(Body::OFFER, "x");
  const auto& own = alice_.public_key;
  server_.send_signal(own, sealed(stranger, own, offer));
  server_.send_signal(own, sealed(bob_, stranger.public_key, offer));
  ByteVector changed = sealed(bob_, own, offer);
  changed.back() ^= std::byte{1};
  server_.send_signal(own, changed);
  server_.send_signal(own, ByteVector(3, std::byte{0xff}));
  server_.send_signal(own, sealed(bob_, own, body(Body::HEARTBEAT, "")));
  net_.run_for(1s);
  EXPECT_FALSE(agent_->has<Signal>());
  EXPECT_EQ(status().counters.signals_dropped, 5U);
  server_.send_signal(own, sealed(bob_, own, offer));
  net_.run_for(1s);
  EXPECT_EQ(agent_->all<Signal>().size(), 1U);
}

TEST_F(SignalTest, TakesNoMessageOfItsOwnForThePeers) {
  start_member();
  Body own = body(Body::OFFER, "");
  own.mutable_trellis()->set_instance(std::string(16, 7));
  // The box between two keys opens at both ends: a server could send it back under the other name.
  const auto envelope = control::parse_signal_envelope(sealed(alice_, bob_.public_key, own));
  server_.send_signal(alice_.public_key, control::format_signal_envelope(
                                             {bob_.public_key, alice_.public_key, envelope->body}));
  net_.run_for(1s);
  EXPECT_FALSE(agent_->has<Signal>());
  EXPECT_EQ(status().counters.signals_dropped, 1U);
}

TEST_F(SignalTest, BeatsWhenItHasHeardNothingForHalfAMinute) {
  start_member();
  net_.run_for(5min);
  EXPECT_NEAR(server_.called(control::kSignalSend), 10, 1);
  EXPECT_EQ(server_.called(control::kSignalConnectStream), 1);
  EXPECT_EQ(status().signal, SignalState::Up);
  EXPECT_EQ(status().counters.signals_dropped, 0U);
}

TEST_F(SignalTest, RegistersAgainWhenAHeartbeatDoesNotComeBack) {
  start_member();
  server_.loops_heartbeats = false;
  ASSERT_TRUE(run_until_event<SignalDown>(41s));
  EXPECT_NE(status().signal_error.find("heartbeat"), std::string::npos);
  EXPECT_EQ(status().server, LineState::Up);
  server_.loops_heartbeats = true;
  agent_->events().clear();
  EXPECT_TRUE(run_until_event<SignalUp>(1s));
  EXPECT_EQ(server_.signal_streams(), 1U);
}

TEST_F(SignalTest, DoesNotWaitForEverForTheHeaders) {
  server_.silent = {std::string(control::kSignalConnectStream)};
  server_.members.insert(alice_.public_key);
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(10s);
  EXPECT_EQ(status().signal, SignalState::Registering);
  net_.run_for(200ms);
  EXPECT_EQ(status().signal, SignalState::Down);
  server_.silent.clear();
  EXPECT_TRUE(run_until_event<SignalUp>(1s));
}

TEST_F(SignalTest, IsNotUpUnlessTheServerSaysThatItIsRegistered) {
  server_.registers = false;
  server_.members.insert(alice_.public_key);
  agent_ = make_agent(alice_, kAliceAt);
  net_.run_for(1min);
  EXPECT_FALSE(agent_->has<SignalUp>());
  EXPECT_LT(server_.called(control::kSignalConnectStream), 20);
  EXPECT_NE(status().signal_error.find("did not register"), std::string::npos);
}

TEST_F(SignalTest, TellsWhenItIsDisplaced) {
  start_member();
  server_.end_all(control::kSignalConnectStream,
                  {grpc::StatusCode::AlreadyExists, "another agent has proven this key"});
  ASSERT_TRUE(run_until_event<SignalDown>(1s));
  EXPECT_NE(status().signal_error.find("another agent"), std::string::npos);
}

}  // namespace
}  // namespace trellis::uplink
