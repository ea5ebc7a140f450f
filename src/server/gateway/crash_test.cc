#include "server/gateway/fixture_test.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

// The server's process ends at every point of many logins, renames and removals: what was
// acknowledged is there afterwards, and nobody sees a serial go back.

namespace trellis::server {
namespace {

/// A store whose process ends before or after a commit, counted from the start.
class CrashingStore final : public Store {
 public:
  explicit CrashingStore(MemoryStore& disk) : disk_(disk) {}

  Result<Snapshot> load() override { return disk_.load(); }
  Result<> commit(const Changes& changes) override {
    if (left == 0 && !after) dead = true;
    if (dead) return fail_with("the process is gone");
    TRY(disk_.commit(changes));
    if (left == 0) dead = true;  // on disk, but nobody hears of it any more
    --left;
    return {};
  }

  int left = 1'000'000;  // commits until the end
  bool after = false;    // the last one is on disk
  bool dead = false;

 private:
  MemoryStore& disk_;
};

class CrashTest : public ::testing::Test {
 protected:
  void start() {
    store = std::make_unique<CrashingStore>(world.store);
    store->left = 1 + static_cast<int>(world.random.below(6));
    store->after = world.random.below(2) == 0;
    world.gateway =
        *Gateway::create(world.options, *store, world.files, world.random, world.now, world.wall);
  }

  /// True: the server lives and the answer was heard; what a dead process says is not heard.
  bool heard() const { return !store->dead; }

  void restart_if_dead() {
    if (!store->dead) return;
    world.crash();
    store->left = 1'000'000;
    world.wall.nanoseconds_since_epoch += (world.random.below(2) == 0 ? 1 : -1) * 1'000'000;
    do {
      start();
    } while (store->dead);
    ++crashes;
    check();
  }

  Json list() {
    return Json::parse(
        world.gateway->handle_request(world.now, true, R"({"command":"peer list"})"));
  }

  void check() {
    std::set<std::string> names;
    const Json peers = list()["peers"];
    for (const Json& peer : peers) names.insert(peer["name"]);
    for (const auto& [name, machine] : members) {
      EXPECT_TRUE(names.contains(name)) << name << " was acknowledged";
    }
    for (const std::string& name : gone) EXPECT_FALSE(names.contains(name)) << name;
    const auto status = Json::parse(
        world.gateway->handle_request(world.now, true, R"({"command":"status"})"))["status"];
    EXPECT_GE(status["serial"].get<std::uint64_t>(), serial);
  }

  Json ask(const Json& request) {
    return Json::parse(world.gateway->handle_request(world.now, true, request.dump()));
  }

  void log_in_one() {
    const std::string name = "m" + std::to_string(++made);
    const Json key = ask({{"command", "setup-key create"}});
    if (!heard()) return;
    ASSERT_EQ(key["ok"], true);
    Machine& machine = world.stock_machine(name);
    Client& client = world.connect(machine);
    const bool ok = client.log_in(key["setup_key"]).ok();
    if (heard() && ok) {
      members[name] = &machine;
      watch(client);
    } else {
      // Nobody knows whether it is in; it asks again with the same key.
      restart_if_dead();
      Client& again = world.connect(machine);
      const bool in = again.log_in(key["setup_key"]).ok();
      if (heard()) {
        EXPECT_TRUE(in) << "an answer that was lost locks nobody out";
        members[name] = &machine;
      }
    }
  }

  void watch(Client& client) {
    const auto sync = client.sync();
    const auto maps = client.maps(sync);
    if (!heard() || maps.empty()) return;
    EXPECT_GE(maps.back().network_map().serial(), serial) << "went back";
    serial = std::max<std::uint64_t>(serial, maps.back().network_map().serial());
  }

  void rename_one() {
    if (members.empty()) return;
    const auto it = members.begin();
    Machine* machine = it->second;
    const std::string from = it->first;
    const std::string to = "r" + std::to_string(++made);
    const Json answer = ask({{"command", "peer rename"}, {"peer", from}, {"name", to}});
    members.erase(it);  // unless the answer says which, either name may be true
    if (!heard()) return;
    EXPECT_EQ(answer["ok"], true) << answer;
    members[to] = machine;
    gone.insert(from);
  }

  void remove_one() {
    if (members.size() < 3) return;
    const std::string name = members.begin()->first;
    const Json answer = ask({{"command", "peer remove"}, {"peer", name}});
    members.erase(members.begin());
    if (!heard()) return;
    EXPECT_EQ(answer["ok"], true) << answer;
    gone.insert(name);
  }

  World world{7};
  std::unique_ptr<CrashingStore> store;
  std::map<std::string, Machine*> members;  // acknowledged
  std::set<std::string> gone;
  std::uint64_t serial = 0;
  int made = 0;
  int crashes = 0;
};

TEST_F(CrashTest, WhatWasAcknowledgedIsThereAndSerialsOnlyRise) {
  start();
  restart_if_dead();
  for (int step = 0; step < 600 && !HasFailure(); ++step) {
    world.now += 1ms;
    world.wall.nanoseconds_since_epoch += 1'000'000;
    switch (step % 3) {
      case 0:
        log_in_one();
        break;
      case 1:
        rename_one();
        break;
      default:
        remove_one();
        break;
    }
    restart_if_dead();
  }
  EXPECT_GT(crashes, 100);
  check();
}

}  // namespace
}  // namespace trellis::server
