// A request on the control socket of a server that has two machines and two setup keys.

#include "crypto/x25519.h"
#include "input.h"
#include "server/gateway/administration.h"
#include "server/store/memory_store.h"
#include "testing/random.h"

#include <nlohmann/json.hpp>

#include <memory>

namespace trellis::fuzz {
namespace {

constexpr WallTime kWall{1'760'000'000'000'000'000};

server::PeerRecord machine(const char* name, std::uint8_t number) {
  server::PeerRecord peer;
  peer.key.bytes[0] = std::byte{number};
  peer.name = name;
  peer.v4 = *IpAddress::parse("100.64.0." + std::to_string(number));
  peer.v6 = *IpAddress::parse("fd00::" + std::to_string(number));
  peer.key_name = server::KeyName{std::byte{1}, std::byte{number}};
  peer.key_complete = true;
  peer.host_name = "\xff";  // the server must not choke on what machines say
  peer.ephemeral = number == 2;
  return peer;
}

/// A store as it was before each request: they change it.
server::Snapshot before() {
  testing::SeededRandom random(1);
  server::Snapshot snapshot;
  server::NetworkRecord network;
  network.box = crypto::generate_private_key(random);
  network.v4 = *Prefix::parse("100.64.0.0/16");
  network.v6 = *Prefix::parse("fd00::/64");
  network.domain = "trellis.internal";
  snapshot.network = std::move(network);
  snapshot.peers = {machine("alice", 1), machine("bob", 2)};
  snapshot.peers[1].asked_key = server::KeyName{std::byte{1}, std::byte{3}};
  for (const char* id : {"aaaaaa", "bbbbbb"}) {
    server::SetupKeyRecord key;
    key.id = id;
    key.hash = id;
    key.reusable = true;
    snapshot.setup_keys.push_back(key);
  }
  return snapshot;
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  static const server::Snapshot start = fuzz::before();
  fuzz::Input input(data, size);
  const bool may_change = input.byte() % 2 == 1;
  testing::SeededRandom random(2);
  server::MemoryStore store;
  server::MemoryKeyFiles files;
  store.restore(start);
  const TimePoint now{1h};
  const auto gateway = server::Gateway::create({}, store, files, random, now, fuzz::kWall);
  CHECK(gateway.has_value());
  const std::uint64_t commits = store.commits();
  const std::string text = (*gateway)->handle_request(now, may_change, fuzz::text_of(input.rest()));
  CHECK(text.find('\n') == std::string::npos);
  const auto answer = nlohmann::json::parse(text, nullptr, false);
  CHECK(answer.is_object() && answer["ok"].is_boolean());
  CHECK(answer["ok"].get<bool>() || answer["error"].is_string());
  CHECK(may_change || store.commits() == commits);
  CHECK(answer["ok"].get<bool>() || store.commits() == commits);
  const auto peers = (*gateway)->handle_request(now, true, R"({"command":"peer list"})");
  CHECK(nlohmann::json::parse(peers)["ok"] == true);
  return 0;
}
