#include "crypto/x25519.h"
#include "node/uplink/gateway_host_test.h"
#include "node/uplink/uplink_test.h"
#include "protocol/rosenpass/key.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trellis::uplink {
namespace {

const Endpoint kServerAt = *Endpoint::parse("192.0.2.9:443");

/// Agents' uplinks and the real server.
class GatewayTest : public ::testing::Test {
 protected:
  struct Machine {
    Machine(std::uint8_t its_number, Random& random)
        : number(its_number),
          at(IpAddress::v4({std::byte{198}, std::byte{51}, std::byte{100}, std::byte{number}})),
          key(crypto::generate_private_key(random)),
          public_key(crypto::public_key(key)),
          rosenpass(524160) {
      random.fill(rosenpass);
      name = {1, trellis::rosenpass::peer_hash(rosenpass)};
    }
    std::string host_name() const { return "h" + std::to_string(number); }

    std::uint8_t number;
    IpAddress at;
    crypto::PrivateKey key;
    crypto::PublicKey public_key;
    ByteVector rosenpass;
    pair::KeyName name;
    std::unique_ptr<TestAgent> agent;
    std::uint8_t starts = 0;
  };

  Machine& add_machine() {
    machines_.push_back(
        std::make_unique<Machine>(static_cast<std::uint8_t>(machines_.size() + 1), random_));
    return *machines_.back();
  }

  void start(Machine& machine, const std::string& setup_key = {}) {
    machine.agent.reset();
    Options options;
    options.authority = "vpn.example.org";
    options.facts.host_name = machine.host_name();
    options.facts.system = "linux";
    options.instance.fill(std::byte{++machine.starts});
    options.never_joined = !setup_key.empty();
    machine.agent =
        std::make_unique<TestAgent>(net_, streams_, machine.at, kServerAt,
                                    Identity{machine.key.clone(), machine.name, machine.rosenpass},
                                    std::move(options), random_);
    if (setup_key.empty()) return;
    ASSERT_TRUE(
        machine.agent->uplink().set_setup_key(net_.now(), SecretBuffer(as_bytes(setup_key))));
  }

  /// Logged in, the newest map in force, reachable for others, nothing under
  /// way.
  static bool settled(const Machine& machine) {
    const Status status = machine.agent->uplink().status();
    return status.synced && status.signal == SignalState::Up && !status.upload &&
           status.fetches.empty();
  }
  bool all_know_all() const {
    return std::ranges::all_of(machines_, [&](const auto& machine) {
      return settled(*machine) &&
             machine->agent->uplink().map()->peers.size() == machines_.size() - 1;
    });
  }
  static std::string names(const Machine& machine) {
    std::vector<std::string> all;
    for (const auto& peer : machine.agent->uplink().map()->peers) all.push_back(peer.name);
    std::ranges::sort(all);
    std::string text;
    for (const std::string& name : all) text += (text.empty() ? "" : " ") + name;
    return text;
  }
  static wire::signal::Body offer(const std::string& payload) {
    wire::signal::Body body;
    body.set_type(wire::signal::Body::OFFER);
    body.set_payload(payload);
    return body;
  }

  testing::SeededRandom random_{11};
  testing::Sim net_{1};
  testing::StreamNet streams_{net_, 1};
  GatewayHost server_{net_, streams_, kServerAt, random_};
  std::vector<std::unique_ptr<Machine>> machines_;
};

TEST_F(GatewayTest, ThreeMachinesJoinAndKnowEachOther) {
  const std::string key = server_.new_setup_key(R"(,"reusable":true)");
  for (int n = 0; n < 3; ++n) start(add_machine(), key);
  ASSERT_TRUE(net_.run_until(5s, [&] { return all_know_all(); }));
  EXPECT_EQ(names(*machines_[0]), "h2 h3");
  EXPECT_EQ(names(*machines_[2]), "h1 h2");
  const auto login = machines_[0]->agent->all<LoggedIn>().at(0);
  EXPECT_EQ(login.name, "h1");
  EXPECT_TRUE(login.registered);
  EXPECT_EQ(login.addresses.size(), 2U);
  for (const auto& peer : machines_[0]->agent->uplink().map()->peers) {
    EXPECT_TRUE(peer.key_name == machines_[1]->name || peer.key_name == machines_[2]->name);
  }
  EXPECT_TRUE(machines_[0]->agent->uplink().map()->rejected.empty());
}

TEST_F(GatewayTest, KeysAndSignalsReachTheOther) {
  const std::string key = server_.new_setup_key(R"(,"reusable":true)");
  Machine& alice = add_machine();
  Machine& bob = add_machine();
  start(alice, key);
  start(bob, key);
  ASSERT_TRUE(net_.run_until(5s, [&] { return all_know_all(); }));
  alice.agent->uplink().fetch_key(net_.now(), bob.name);
  ASSERT_TRUE(net_.run_until(5s, [&] { return alice.agent->has<KeyFetched>(); }));
  EXPECT_EQ(alice.agent->all<KeyFetched>().at(0).bytes, bob.rosenpass);
  alice.agent->uplink().send_signal(net_.now(), bob.public_key, offer("hello"));
  ASSERT_TRUE(net_.run_until(1s, [&] { return bob.agent->has<Signal>(); }));
  EXPECT_EQ(bob.agent->all<Signal>().at(0).from, alice.public_key);
  EXPECT_EQ(bob.agent->all<Signal>().at(0).body.payload(), "hello");
}

TEST_F(GatewayTest, AChangeReachesTheOthersAsAChange) {
  const std::string key = server_.new_setup_key(R"(,"reusable":true)");
  for (int n = 0; n < 3; ++n) start(add_machine(), key);
  ASSERT_TRUE(net_.run_until(5s, [&] { return all_know_all(); }));
  net_.run_for(5s);
  const std::uint64_t maps = machines_[0]->agent->uplink().status().counters.maps;
  server_.request(R"({"command":"peer rename","peer":"h3","name":"hall"})");
  ASSERT_TRUE(net_.run_until(1s, [&] { return names(*machines_[0]) == "h2 hall"; }));
  server_.request(R"({"command":"peer remove","peer":"hall"})");
  ASSERT_TRUE(net_.run_until(1s, [&] { return names(*machines_[0]) == "h2"; }));
  EXPECT_EQ(machines_[0]->agent->uplink().status().counters.maps, maps);
  ASSERT_TRUE(net_.run_until(3s, [&] { return machines_[2]->agent->has<Refused>(); }));
  EXPECT_EQ(machines_[2]->agent->all<Refused>().at(0).reason, Refusal::Removed);
  EXPECT_EQ(names(*machines_[2]), "");
}

TEST_F(GatewayTest, ARestartMovesNoKeys) {
  const std::string key = server_.new_setup_key(R"(,"reusable":true)");
  Machine& alice = add_machine();
  Machine& bob = add_machine();
  start(alice, key);
  start(bob, key);
  ASSERT_TRUE(net_.run_until(5s, [&] { return all_know_all(); }));
  net_.run_for(5s);
  const auto moved = [&] {
    return streams_.bytes_sent(alice.at) + streams_.bytes_sent(bob.at) +
           streams_.bytes_sent(kServerAt.address);
  };
  const std::uint64_t before = moved();
  start(alice);
  ASSERT_TRUE(net_.run_until(1s, [&] { return all_know_all(); }));
  net_.run_for(1s);
  EXPECT_LT(moved() - before, 6000U);
}

TEST_F(GatewayTest, AServerThatWasKilledIsFoundAgainSoon) {
  const std::string key = server_.new_setup_key(R"(,"reusable":true)");
  for (int n = 0; n < 3; ++n) start(add_machine(), key);
  ASSERT_TRUE(net_.run_until(5s, [&] { return all_know_all(); }));
  const std::uint64_t serial = machines_[0]->agent->uplink().status().serial;
  for (int round = 0; round < 20; ++round) {
    net_.run_for(6s);
    server_.kill();
    net_.run_for(std::chrono::milliseconds(random_.below(700)));
    EXPECT_FALSE(all_know_all());
    server_.start();
    const TimePoint back = net_.now();
    ASSERT_TRUE(net_.run_until(5s, [&] { return all_know_all(); }));
    EXPECT_LT(net_.now() - back, 900ms);
  }
  EXPECT_GE(machines_[0]->agent->uplink().status().serial, serial);
  EXPECT_TRUE(machines_[0]->agent->uplink().status().map_error.empty());
}

TEST_F(GatewayTest, AOneOffKeyLetsOneMachineInEvenIfItsAnswerIsLost) {
  const std::string key = server_.new_setup_key("");
  Machine& alice = add_machine();
  start(alice, key);
  // The answer to Login is cut: at 45 ms the server has it, at 60 ms the agent
  // would.
  net_.run_for(55ms);
  streams_.cut_all(alice.at);
  ASSERT_TRUE(net_.run_until(3s, [&] { return settled(alice); }));
  Machine& bob = add_machine();
  start(bob, key);
  ASSERT_TRUE(net_.run_until(3s, [&] { return bob.agent->has<Refused>(); }));
  const Refused refused = bob.agent->all<Refused>().at(0);
  EXPECT_EQ(refused.reason, Refusal::SetupKey);
  EXPECT_TRUE(refused.permanent);
  EXPECT_NE(refused.message.find("used up"), std::string::npos);
}

TEST_F(GatewayTest, ACopyOfALiveMachineIsRefusedAndSaysWhy) {
  const std::string key = server_.new_setup_key("");
  Machine& alice = add_machine();
  start(alice, key);
  ASSERT_TRUE(net_.run_until(3s, [&] { return settled(alice); }));
  Options options;
  options.authority = "vpn.example.org";
  options.instance.fill(std::byte{0xcc});
  TestAgent copy(net_, streams_, *IpAddress::parse("203.0.113.5"), kServerAt,
                 Identity{alice.key.clone(), alice.name, alice.rosenpass}, std::move(options),
                 random_);
  ASSERT_TRUE(net_.run_until(5s, [&] { return copy.has<Refused>(); }));
  EXPECT_EQ(copy.all<Refused>().at(0).reason, Refusal::Conflict);
  EXPECT_NE(copy.all<Refused>().at(0).message.find("198.51.100.1"), std::string::npos);
  net_.run_for(1min);
  EXPECT_TRUE(settled(alice));
  EXPECT_EQ(alice.agent->uplink().status().counters.connects, 1U);
}

TEST_F(GatewayTest, AnotherRosenpassKeyNeedsAnAdministratorsWord) {
  const std::string key = server_.new_setup_key("");
  Machine& alice = add_machine();
  start(alice, key);
  ASSERT_TRUE(net_.run_until(3s, [&] { return settled(alice); }));
  alice.agent.reset();
  random_.fill(alice.rosenpass);
  alice.name = {1, trellis::rosenpass::peer_hash(alice.rosenpass)};
  start(alice);
  ASSERT_TRUE(net_.run_until(3s, [&] { return alice.agent->has<Refused>(); }));
  EXPECT_NE(alice.agent->all<Refused>().at(0).message.find("trellis server peer trust"),
            std::string::npos);
  server_.request(R"({"command":"peer trust","peer":"h1"})");
  ASSERT_TRUE(net_.run_until(20s, [&] { return settled(alice); }));
}

TEST_F(GatewayTest, LeavesTheNetwork) {
  const std::string key = server_.new_setup_key(R"(,"reusable":true)");
  for (int n = 0; n < 2; ++n) start(add_machine(), key);
  ASSERT_TRUE(net_.run_until(5s, [&] { return all_know_all(); }));
  machines_[1]->agent->uplink().log_out(net_.now());
  ASSERT_TRUE(net_.run_until(1s, [&] { return machines_[1]->agent->has<LoggedOut>(); }));
  EXPECT_EQ(machines_[1]->agent->all<LoggedOut>().at(0).error, std::nullopt);
  ASSERT_TRUE(net_.run_until(1s, [&] { return names(*machines_[0]).empty(); }));
}

TEST_F(GatewayTest, ADiskThatIsFullIsToldAndPasses) {
  const std::string key = server_.new_setup_key("");
  server_.store.set_failure("no space left on device");
  Machine& alice = add_machine();
  start(alice, key);
  net_.run_for(2s);
  EXPECT_NE(alice.agent->uplink().status().server_error.find("cannot store"), std::string::npos);
  server_.store.set_failure("");
  EXPECT_TRUE(net_.run_until(10s, [&] { return settled(alice); }));
}

/// Cuts, silences, restarts of either side at random moments.
TEST_F(GatewayTest, ComesThroughRandomTrouble) {
  const std::string key = server_.new_setup_key(R"(,"reusable":true)");
  streams_.set_faults({.delay = 10ms, .jitter = 30ms, .piece_bytes_max = 4000});
  for (int n = 0; n < 4; ++n) start(add_machine(), key);
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    std::vector<std::uint64_t> serials;
    for (int fault = 0; fault < 8; ++fault) {
      net_.run_for(std::chrono::milliseconds(random_.below(500)));
      Machine& machine = *machines_[random_.below(machines_.size())];
      switch (random_.below(5)) {
        case 0:
          server_.running() ? server_.kill() : server_.start();
          break;
        case 1:
          streams_.set_silent(machine.at, random_.below(2) == 0);
          break;
        case 2:
          start(machine, round == 0 ? key : "");
          break;
        default:
          streams_.cut_all(machine.at);
      }
    }
    if (!server_.running()) server_.start();
    for (const auto& machine : machines_) streams_.set_silent(machine->at, false);
    ASSERT_TRUE(net_.run_until(60s, [&] { return all_know_all(); }));
    for (const auto& machine : machines_) {
      EXPECT_TRUE(machine->agent->uplink().status().map_error.empty());
    }
  }
}

}  // namespace
}  // namespace trellis::uplink
