#include "system/store/sqlite_store.h"

#include "server/store/memory_store.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

namespace trellis::system {
namespace {

using server::Changes;
using server::NetworkRecord;
using server::PeerRecord;
using server::SetupKeyRecord;
using server::Snapshot;

crypto::PublicKey key_of(unsigned number) {
  crypto::PublicKey key;
  for (std::size_t i = 0; i < 4; ++i) key.bytes[31 - i] = static_cast<std::byte>(number >> (8 * i));
  return key;
}

PeerRecord peer_of(unsigned number) {
  PeerRecord peer;
  peer.key = key_of(number);
  peer.name = "peer-" + std::to_string(number);
  peer.v4 = *IpAddress::parse("100.64.3.4");
  peer.v6 = *IpAddress::parse("fd00::3:4");
  peer.key_name = server::KeyName{std::byte{1}, std::byte{2}};
  peer.key_complete = true;
  peer.setup_key = "5f2c";
  peer.created = WallTime{1'790'000'000'123'456'789};
  peer.last_seen = WallTime{-1};
  peer.host_name = "h\xc3\xb6st";
  peer.version = "0.77.1+trellis";
  peer.system = "Debian 13";
  return peer;
}

SetupKeyRecord setup_key_of(const std::string& id) {
  SetupKeyRecord key;
  key.id = id;
  key.hash = "hash of " + id;
  key.name = "for '; DROP TABLE peers; --";
  key.reusable = true;
  key.usage_limit = 0xffffffff;
  key.used = 7;
  key.expires = WallTime{1'790'000'000'000'000'001};
  key.ephemeral = true;
  key.created = WallTime{5};
  return key;
}

NetworkRecord network_of(std::uint64_t serial) {
  const Bytes<32> secret{std::byte{9}, std::byte{8}};
  return NetworkRecord{crypto::PrivateKey(std::span(secret)), *Prefix::parse("100.71.0.0/16"),
                       *Prefix::parse("fd71:1:2:3::/64"), "trellis.internal", serial};
}

class SqliteStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteStore> open() { return SqliteStore::open(path_).value(); }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("store.db");
};

void expect_same(Snapshot a, Snapshot b) {
  const auto by_key = [](const auto& x, const auto& y) { return x.key < y.key; };
  const auto by_id = [](const auto& x, const auto& y) { return x.id < y.id; };
  for (Snapshot* snapshot : {&a, &b}) {
    std::sort(snapshot->peers.begin(), snapshot->peers.end(), by_key);
    std::sort(snapshot->setup_keys.begin(), snapshot->setup_keys.end(), by_id);
  }
  EXPECT_EQ(a.peers, b.peers);
  EXPECT_EQ(a.setup_keys, b.setup_keys);
  ASSERT_EQ(a.network.has_value(), b.network.has_value());
  if (!a.network) return;
  EXPECT_TRUE(std::ranges::equal(a.network->box.expose(), b.network->box.expose()));
  EXPECT_EQ(a.network->v4, b.network->v4);
  EXPECT_EQ(a.network->v6, b.network->v6);
  EXPECT_EQ(a.network->domain, b.network->domain);
  EXPECT_EQ(a.network->serial, b.network->serial);
}

std::vector<Changes> history() {
  std::vector<Changes> steps(6);
  steps[0].network = network_of(5);
  steps[0].put_setup_keys = {setup_key_of("a"), setup_key_of("b")};
  steps[1].put_peers = {peer_of(1), peer_of(2), peer_of(70'000)};
  steps[1].serial = 1'790'000'000'000;
  steps[2].put_peers = {peer_of(2)};
  steps[2].put_peers[0].key_name.reset();
  steps[2].put_peers[0].asked_key = server::KeyName{std::byte{7}};
  steps[2].put_peers[0].name = "renamed";
  steps[3].removed_peers = {key_of(1), key_of(999)};
  steps[3].put_peers = {peer_of(4)};
  steps[3].put_peers[0].name = "peer-1";  // of the one that goes
  steps[4].put_setup_keys = {setup_key_of("a")};
  steps[4].put_setup_keys[0].expires.reset();
  steps[4].put_setup_keys[0].revoked = true;
  steps[5].network = network_of(0xffff'ffff'ffff'ffff);
  return steps;
}

TEST_F(SqliteStoreTest, HoldsWhatAStoreInMemoryHolds) {
  server::MemoryStore memory;
  auto store = open();
  expect_same(store->load().value(), memory.load().value());
  for (const Changes& changes : history()) {
    ASSERT_TRUE(memory.commit(changes));
    const auto done = store->commit(changes);
    ASSERT_TRUE(done) << done.error().message;
    expect_same(store->load().value(), memory.load().value());
    store.reset();
    store = open();
    expect_same(store->load().value(), memory.load().value());
  }
}

TEST_F(SqliteStoreTest, AFailedCommitHasChangedNothing) {
  auto store = open();
  Changes first;
  first.network = network_of(5);
  first.put_setup_keys = {setup_key_of("a")};
  ASSERT_TRUE(store->commit(first));
  server::MemoryStore memory;
  ASSERT_TRUE(memory.commit(first));

  Changes bad;
  bad.serial = 6;
  bad.put_peers = {peer_of(1)};
  bad.put_setup_keys = {setup_key_of("b")};
  bad.put_setup_keys[0].hash = "hash of a";  // there is one with it
  EXPECT_FALSE(store->commit(bad));
  expect_same(store->load().value(), memory.load().value());

  bad.put_setup_keys[0].hash = "another";
  EXPECT_TRUE(store->commit(bad));
  ASSERT_TRUE(memory.commit(bad));
  expect_same(store->load().value(), memory.load().value());
}

TEST_F(SqliteStoreTest, ARowThatNoServerWroteIsSaidToBeDamage) {
  open().reset();
  {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
    EXPECT_EQ(
        sqlite3_exec(raw, "INSERT INTO network VALUES (1, zeroblob(32), 'here', 'there', 'd', 1)",
                     nullptr, nullptr, nullptr),
        SQLITE_OK);
    sqlite3_close(raw);
  }
  const auto loaded = open()->load();
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message.find("damaged"), std::string::npos) << loaded.error().message;
}

/// Commits serial 1 with one peer, serial 2 with two, ... and notes each when it was acknowledged.
[[noreturn]] void commit_for_ever(const std::string& path, const std::string& marks) {
  const auto store = SqliteStore::open(path).value();
  auto serial = static_cast<unsigned>(store->load().value().peers.size());
  std::ofstream acknowledged(marks, std::ios::trunc);
  while (true) {
    ++serial;
    Changes changes;
    changes.network = network_of(serial);
    changes.put_peers = {peer_of(serial)};
    if (!store->commit(changes)) ::_exit(1);
    acknowledged << serial << std::endl;
  }
}

TEST_F(SqliteStoreTest, AKilledServerHasLostNothingThatItAcknowledged) {
  const std::string marks = folder_.file("marks");
  for (int round = 0; round < 12; ++round) {
    const pid_t child = ::fork();
    if (child == 0) commit_for_ever(path_, marks);
    std::this_thread::sleep_for(std::chrono::milliseconds(3 + 11 * round));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it failed by itself";
    std::uint64_t last = 0;
    std::ifstream read_back(marks);
    for (std::uint64_t serial = 0; read_back >> serial;) last = serial;
    const Snapshot snapshot = open()->load().value();
    const std::uint64_t found = snapshot.network ? snapshot.network->serial : 0;
    EXPECT_GE(found, last);
    EXPECT_EQ(snapshot.peers.size(), found);  // both halves of each change, or neither
  }
}

}  // namespace
}  // namespace trellis::system
