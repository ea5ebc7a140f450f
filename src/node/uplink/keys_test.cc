#include "node/uplink/constants.h"
#include "node/uplink/fixture_test.h"

namespace trellis::uplink {
namespace {

class KeysTest : public UplinkTest {
 protected:
  void start_without_key_there() {
    server_.members.insert(alice_.public_key);
    agent_ = make_agent(alice_, kAliceAt);
  }
  /// A key that the map names, for number `n` of its peers.
  Person add_peer(int n) {
    Person person(random_);
    *server_.map.add_remote_peers() =
        entry(person, "h" + std::to_string(n), "100.92.0." + std::to_string(n) + "/32");
    return person;
  }
  bool bob_is_fetched() { return !fetched(bob_.name).empty(); }
  ByteVector fetched(const pair::KeyName& name) {
    for (const KeyFetched& event : agent_->all<KeyFetched>()) {
      if (event.name == name) return event.bytes;
    }
    return {};
  }
};

TEST_F(KeysTest, BringsItsKeyToTheServerOnce) {
  start_without_key_there();
  ASSERT_TRUE(run_until_event<KeyUploaded>(5s));
  EXPECT_EQ(server_.keys.at(alice_.key_name_field()), alice_.rosenpass);
  EXPECT_EQ(status().upload, std::nullopt);
  const std::uint64_t sent = streams_.bytes_sent(kAliceAt);
  EXPECT_LT(sent, alice_.rosenpass.size() + 8000);
  streams_.cut_all(kAliceAt);
  agent_->events().clear();
  ASSERT_TRUE(run_until_event<SignalUp>(2s));
  net_.run_for(1s);
  EXPECT_EQ(server_.uploaded, alice_.rosenpass.size());
  EXPECT_LT(streams_.bytes_sent(kAliceAt) - sent, 3000U);
}

TEST_F(KeysTest, GoesOnWhereACutEndedAnUpload) {
  streams_.set_faults({.delay = 10ms, .window_bytes = 16 << 10});  // 16 kB each 10 ms
  start_without_key_there();
  for (int cuts = 0; cuts < 4; ++cuts) {
    const std::uint64_t before = server_.uploaded;
    ASSERT_TRUE(net_.run_until(5s, [&] { return server_.uploaded > before + 60'000; }));
    ASSERT_TRUE(status().upload);
    streams_.cut_all(kAliceAt);
  }
  ASSERT_TRUE(run_until_event<KeyUploaded>(5s));
  EXPECT_EQ(server_.keys.at(alice_.key_name_field()), alice_.rosenpass);
  EXPECT_EQ(server_.uploaded, alice_.rosenpass.size());
}

TEST_F(KeysTest, AsksWhereToGoOnWhenTheServerEndsAnUpload) {
  int failures = 2;
  server_.fault = [&](const std::string& method) -> std::optional<grpc::Status> {
    if (method != control::kKeyUpload || failures == 0) return {};
    --failures;
    return grpc::Status{grpc::StatusCode::Unavailable, "the disk is full"};
  };
  start_without_key_there();
  ASSERT_TRUE(
      net_.run_until(2s, [&] { return status().upload && !status().upload->error.empty(); }));
  EXPECT_NE(status().upload->error.find("the disk is full"), std::string::npos);
  ASSERT_TRUE(run_until_event<KeyUploaded>(5s));
  EXPECT_EQ(server_.logins.size(), 3U);
  EXPECT_EQ(status().counters.connects, 1U);
}

TEST_F(KeysTest, TellsThatItsKeyIsThereEvenIfTheAnswerToTheUploadWasLost) {
  server_.silent = {std::string(control::kKeyUpload)};
  start_without_key_there();
  ASSERT_TRUE(net_.run_until(5s, [&] { return server_.uploaded == alice_.rosenpass.size(); }));
  EXPECT_FALSE(agent_->has<KeyUploaded>());
  streams_.cut_all(kAliceAt);
  ASSERT_TRUE(run_until_event<KeyUploaded>(2s));
  EXPECT_EQ(server_.called(control::kKeyUpload), 1);
  EXPECT_EQ(status().upload, std::nullopt);
  streams_.cut_all(kAliceAt);
  net_.run_for(5s);
  EXPECT_EQ(agent_->all<KeyUploaded>().size(), 1U);  // it stays there
}

TEST_F(KeysTest, BringsNothingWithoutAKeyOfItsOwn) {
  server_.members.insert(alice_.public_key);
  agent_ = std::make_unique<TestAgent>(net_, streams_, kAliceAt, kServerAt,
                                       Identity{alice_.key.clone(), std::nullopt, {}}, options(),
                                       random_);
  ASSERT_TRUE(run_until_event<Synced>(1s));
  net_.run_for(1s);
  EXPECT_TRUE(server_.logins.at(0).request.trellis().key_name().empty());
  EXPECT_EQ(server_.called(control::kKeyUpload), 0);
}

TEST_F(KeysTest, FetchesAKeyAndChecksItsName) {
  start_member();
  server_.keys[bob_.key_name_field()] = bob_.rosenpass;
  uplink().fetch_key(net_.now(), bob_.name);
  ASSERT_TRUE(run_until_event<KeyFetched>(5s));
  EXPECT_EQ(fetched(bob_.name), bob_.rosenpass);
  net_.run_for(1min);
  EXPECT_EQ(server_.called(control::kKeyFetch), 1);
  EXPECT_TRUE(status().fetches.empty());
}

TEST_F(KeysTest, WaitsForAKeyThatIsNotThereYet) {
  start_member();
  uplink().fetch_key(net_.now(), bob_.name);
  net_.run_for(3s);
  ASSERT_EQ(status().fetches.size(), 1U);
  EXPECT_NE(status().fetches[0].error.find("not have it yet"), std::string::npos);
  server_.keys[bob_.key_name_field()] = bob_.rosenpass;
  EXPECT_TRUE(run_until_event<KeyFetched>(10s));
}

TEST_F(KeysTest, GoesOnWhereAFetchWasCut) {
  start_member();
  server_.keys[bob_.key_name_field()] = bob_.rosenpass;
  server_.pieces_max = 5;
  uplink().fetch_key(net_.now(), bob_.name);
  ASSERT_TRUE(run_until_event<KeyFetched>(20s));
  EXPECT_EQ(fetched(bob_.name), bob_.rosenpass);
  ASSERT_EQ(server_.fetches.size(), 4U);
  for (std::uint32_t n = 0; n < 4; ++n) EXPECT_EQ(server_.fetches[n].offset(), n * 5 * 32768);
  EXPECT_EQ(status().counters.key_bytes_received, bob_.rosenpass.size());
}

TEST_F(KeysTest, GoesOnAfterALineThatBroke) {
  start_member();
  server_.keys[bob_.key_name_field()] = bob_.rosenpass;
  streams_.set_faults({.delay = 10ms, .window_bytes = 16 << 10});
  uplink().fetch_key(net_.now(), bob_.name);
  ASSERT_TRUE(net_.run_until(5s, [&] { return status().counters.key_bytes_received > 200'000; }));
  streams_.cut_all(kAliceAt);
  ASSERT_TRUE(run_until_event<KeyFetched>(5s));
  EXPECT_EQ(fetched(bob_.name), bob_.rosenpass);
  EXPECT_EQ(status().counters.key_bytes_received, bob_.rosenpass.size());
}

TEST_F(KeysTest, GoesOnWhereAProcessBeforeItEnded) {
  start_member();
  server_.keys[bob_.key_name_field()] = bob_.rosenpass;
  streams_.set_faults({.delay = 10ms, .window_bytes = 16 << 10});
  uplink().fetch_key(net_.now(), bob_.name);
  ASSERT_TRUE(net_.run_until(5s, [&] { return status().counters.key_bytes_received > 300'000; }));
  ByteVector kept;
  for (const KeyPiece& piece : agent_->all<KeyPiece>()) {
    EXPECT_EQ(piece.name, bob_.name);
    ASSERT_EQ(piece.offset, kept.size());
    append(kept, piece.bytes);
  }
  EXPECT_EQ(kept.size(), status().counters.key_bytes_received);
  agent_.reset();
  start_member();  // another process
  uplink().fetch_key(net_.now(), bob_.name, kept);
  ASSERT_TRUE(run_until_event<KeyFetched>(5s));
  EXPECT_EQ(fetched(bob_.name), bob_.rosenpass);
  EXPECT_EQ(status().counters.key_bytes_received, bob_.rosenpass.size() - kept.size());
}

TEST_F(KeysTest, WhatWasKeptAndIsDamagedIsFetchedAgain) {
  for (const std::size_t size : {100'000U, 524'160U, 600'000U}) {
    SCOPED_TRACE(size);
    agent_.reset();
    start_member();
    server_.keys[bob_.key_name_field()] = bob_.rosenpass;
    uplink().fetch_key(net_.now(), bob_.name, ByteVector(size));
    ASSERT_TRUE(run_until_event<KeyFetched>(5s));
    EXPECT_EQ(fetched(bob_.name), bob_.rosenpass);
    if (size < bob_.rosenpass.size()) {
      const auto pieces = agent_->all<KeyPiece>();
      const auto is_void = [](const KeyPiece& piece) {
        return piece.offset == 0 && piece.bytes.empty();
      };
      EXPECT_EQ(std::ranges::count_if(pieces, is_void), 1) << "what was kept is void";
    }
  }
}

TEST_F(KeysTest, TwoWhoWantOneKeyHaveOneFetch) {
  start_member();
  server_.keys[bob_.key_name_field()] = bob_.rosenpass;
  streams_.set_faults({.delay = 10ms, .window_bytes = 16 << 10});
  uplink().fetch_key(net_.now(), bob_.name);
  net_.run_for(100ms);
  EXPECT_TRUE(uplink().is_fetching(bob_.name));
  uplink().fetch_key(net_.now(), bob_.name, ByteVector(1000));
  ASSERT_TRUE(run_until_event<KeyFetched>(5s));
  net_.run_for(5s);
  EXPECT_EQ(agent_->all<KeyFetched>().size(), 1U);
  EXPECT_EQ(server_.called(control::kKeyFetch), 1);
  EXPECT_EQ(status().counters.key_bytes_received, bob_.rosenpass.size());
}

TEST_F(KeysTest, AServerThatNamesNewKeysForEverCostsLittleInTheEnd) {
  start_member();
  server_.keys[bob_.key_name_field()] = bob_.rosenpass;
  const TimePoint start = net_.now();
  int keys = 0;
  for (; keys < 2000 && net_.now() - start < 10min; ++keys) {
    uplink().fetch_key(net_.now(), bob_.name);
    net_.run_until(1min, [&] { return agent_->has<KeyFetched>(); });
    agent_->events().clear();
  }
  const std::chrono::duration<double> passed = net_.now() - start;
  EXPECT_GE(keys, kFetchedKeysBurst);
  EXPECT_LE(keys, kFetchedKeysBurst + passed.count() * kFetchedKeysPerSecond + 1);
  uplink().fetch_key(net_.now(), bob_.name);
  net_.run_for(1s);
  EXPECT_NE(status().fetches.at(0).error.find("lately"), std::string::npos);
}

TEST_F(KeysTest, BelievesNoBytesThatHaveAnotherName) {
  start_member();
  server_.keys[bob_.key_name_field()] = alice_.rosenpass;
  uplink().fetch_key(net_.now(), bob_.name);
  net_.run_for(3s);
  EXPECT_FALSE(agent_->has<KeyFetched>());
  EXPECT_NE(status().fetches.at(0).error.find("another key"), std::string::npos);
  EXPECT_LT(server_.called(control::kKeyFetch), 6);
  server_.keys[bob_.key_name_field()] = bob_.rosenpass;
  EXPECT_TRUE(run_until_event<KeyFetched>(30s));
}

TEST_F(KeysTest, TakesNoKeyOfAnotherSize) {
  start_member();
  server_.keys[bob_.key_name_field()] = ByteVector(600'000);
  uplink().fetch_key(net_.now(), bob_.name);
  net_.run_for(3s);
  EXPECT_NE(status().fetches.at(0).error.find("do not fit"), std::string::npos);
  EXPECT_EQ(status().counters.key_bytes_received, 0U);
}

TEST_F(KeysTest, FetchesFourAtATime) {
  std::vector<Person> people;
  for (int n = 10; n < 20; ++n) people.push_back(add_peer(n));
  start_member();
  server_.silent = {std::string(control::kKeyFetch)};
  for (const Person& person : people) {
    server_.keys[person.key_name_field()] = person.rosenpass;
    uplink().fetch_key(net_.now(), person.name);
  }
  net_.run_for(1s);
  EXPECT_EQ(server_.called(control::kKeyFetch), 4);
  server_.silent.clear();
  streams_.cut_all(kAliceAt);
  ASSERT_TRUE(net_.run_until(30s, [&] { return agent_->all<KeyFetched>().size() == 10; }));
  for (const Person& person : people) EXPECT_EQ(fetched(person.name), person.rosenpass);
}

TEST_F(KeysTest, AsksNoMoreForWhatNobodyNeeds) {
  const Person carol = add_peer(3);
  start_member();
  uplink().fetch_key(net_.now(), bob_.name);
  uplink().fetch_key(net_.now(), carol.name);
  net_.run_for(100ms);
  uplink().forget_key(net_.now(), carol.name);
  EXPECT_EQ(status().fetches.size(), 1U);
  server_.map.clear_remote_peers();
  server_.map.set_serial(1001);
  server_.send_map();
  net_.run_for(100ms);
  EXPECT_TRUE(status().fetches.empty());
}

TEST_F(KeysTest, KnowsNothingOfOtherSuites) {
  start_member();
  uplink().fetch_key(net_.now(), {9, bob_.name.pid});
  net_.run_for(10s);
  EXPECT_EQ(server_.called(control::kKeyFetch), 0);
}

}  // namespace
}  // namespace trellis::uplink
