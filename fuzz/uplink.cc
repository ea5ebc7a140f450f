// The agent's line to a server that says anything: answers of every form in the right envelopes,
// changed bytes, ended calls, cuts, and time that passes.
//
// A script is a row of steps, one byte each with its arguments. The frames of HTTP/2 are whole
// here; `grpc_client` breaks those.

#include "node/uplink/uplink.h"

#include "crypto/x25519.h"
#include "input.h"
#include "protocol/control/envelope.h"
#include "protocol/control/key_text.h"
#include "protocol/control/keys.pb.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/method_names.h"
#include "protocol/control/signal.pb.h"
#include "protocol/grpc/server_connection.h"
#include "testing/random.h"

#include <map>

namespace trellis::fuzz {
namespace {

using namespace uplink;
namespace wm = wire::management;

constexpr int kStepsMax = 120;
constexpr std::size_t kTimeoutsAtOnceMax = 1000;
const pair::KeyName kBobName{1, {}};

struct World {
  World()
      : box(crypto::generate_private_key(random)),
        own(crypto::generate_private_key(random)),
        bob(crypto::generate_private_key(random)),
        own_public(crypto::public_key(own)),
        bob_public(crypto::public_key(bob)),
        key(2000),
        uplink(now, Identity{own.clone(), pair::KeyName{1, {}}, key}, options(), random) {
    CHECK(
        uplink.set_setup_key(now, SecretBuffer(as_bytes("A2C8E62B-38F5-4553-B31E-DD66C696CEBB"))));
    uplink.fetch_key(now, kBobName);
    run();
  }

  static Options options() {
    Options result;
    result.authority = "vpn.example.org";
    result.facts.host_name = "alice";
    return result;
  }

  /// Everything that moves by itself, and what must always hold.
  void run() {
    for (int rounds = 0; rounds < 100; ++rounds) {
      bool moved = false;
      while (auto event = uplink.poll_event()) {
        moved = true;
        take(*event);
      }
      while (server && !moved) {
        const ByteVector bytes = uplink.poll_transmit();
        if (bytes.empty()) break;
        server->receive(now, bytes);
      }
      moved = moved || serve();
      if (!moved) break;
    }
    check();
  }

  void take(const Event& event) {
    if (std::holds_alternative<Connect>(event)) {
      server.emplace(now, grpc::ServerLimits{.calls_max = 1000});
      uplink.connected(now);
    } else if (std::holds_alternative<Disconnect>(event)) {
      server.reset();
      open.clear();
    } else if (const auto* signal = std::get_if<Signal>(&event)) {
      CHECK(signal->from == bob_public);
    } else if (std::holds_alternative<KeyFetched>(event)) {
      CHECK(false);  // nothing has a hash of zeros
    }
  }

  /// What the server does by itself: to remember calls. True if something has moved.
  bool serve() {
    bool moved = false;
    while (server) {
      auto event = server->poll_event();
      if (!event) break;
      moved = true;
      if (const auto* started = std::get_if<grpc::CallStarted>(&*event)) {
        open[started->method] = started->call;
      }
    }
    while (server) {
      const ByteVector bytes = server->poll_transmit();
      if (bytes.empty()) break;
      moved = true;
      uplink.receive(now, bytes);
      while (auto event = uplink.poll_event()) take(*event);
    }
    return moved;
  }

  void check() {
    const netmap::Map* const map = uplink.map();
    if (map) {
      CHECK(map->serial >= serial);
      serial = map->serial;
      for (const auto& peer : map->peers) CHECK(peer.wireguard_key != own_public);
    }
    const Status status = uplink.status();
    CHECK(status.fetches.size() <= 1);
    CHECK(status.server != LineState::Up || server);
  }

  void pass(Duration time) {
    now += time;
    for (std::size_t n = 0; uplink.next_timeout() && *uplink.next_timeout() <= now; ++n) {
      CHECK(n < kTimeoutsAtOnceMax);
      uplink.handle_timeout(now);
      run();
    }
    if (server) server->handle_timeout(now);
    run();
  }

  void answer(std::string_view method, ByteView message, bool last) {
    const auto call = open.find(std::string(method));
    if (!server || call == open.end()) return;
    server->send_message(call->second, message);
    if (last) {
      server->finish(call->second, {});
      open.erase(call);
    }
    run();
  }

  template <class T>
  ByteVector sealed(const T& message) {
    return control::seal_message(*control::BoxChannel::create(box, own_public), message, random);
  }

  testing::SeededRandom random{1};
  TimePoint now{1h};
  crypto::PrivateKey box;
  crypto::PrivateKey own;
  crypto::PrivateKey bob;
  crypto::PublicKey own_public;
  crypto::PublicKey bob_public;
  ByteVector key;
  std::optional<grpc::ServerConnection> server;
  std::map<std::string, grpc::CallId> open;  // the newest of each method
  std::uint64_t serial = 0;
  Uplink uplink;
};

wm::PeerConfig own_config(std::uint8_t variant) {
  wm::PeerConfig config;
  config.set_address(variant == 0xff ? "100.92.0.1" : "100.92.0.1/16");
  config.set_fqdn(variant == 0xfe ? "" : "alice.trellis.internal");
  return config;
}

wm::RemotePeerConfig entry(const crypto::PublicKey& key, std::uint8_t number) {
  wm::RemotePeerConfig result;
  result.set_wg_key(control::key_text(key));
  result.add_allowed_ips("100.92.0." + std::to_string(number) + "/32");
  result.set_fqdn("h" + std::to_string(number) + ".trellis.internal");
  if (number % 2 == 0) result.set_trellis_key_name("\x01" + std::string(32, '\0'));
  return result;
}

wm::NetworkMap good_map(const World& world, Input& input) {
  wm::NetworkMap map;
  map.set_serial(input.byte());
  *map.mutable_peer_config() = own_config(input.byte());
  const std::uint8_t flags = input.byte();
  if (flags & 1) *map.add_remote_peers() = entry(world.bob_public, input.byte());
  if (flags & 2) *map.add_remote_peers() = entry(world.own_public, input.byte());
  for (const auto direction : {wm::FirewallRule::IN, wm::FirewallRule::OUT}) {
    if (flags & 4) break;
    auto& rule = *map.add_firewall_rules();
    rule.set_peer_ip("0.0.0.0");
    rule.set_direction(direction);
    rule.set_protocol(wm::ALL);
  }
  map.set_route_firewall_rules_is_empty(true);
  return map;
}

void answer_hello(World& world, Input& input) {
  wm::ServerKeyResponse response;
  response.set_key(control::key_text(crypto::public_key(world.box)));
  response.set_connection_nonce(std::string(input.byte() == 0xff ? 31 : 32, 'n'));
  world.answer(control::kGetServerKey, control::format_message(response), true);
}

void answer_login(World& world, Input& input) {
  wm::LoginResponse response;
  *response.mutable_peer_config() = own_config(input.byte());
  response.mutable_trellis()->set_key_wanted(input.byte() % 2 == 0);
  response.mutable_trellis()->set_key_offset(input.number());
  world.answer(control::kLogin, world.sealed(response), true);
}

void send_map(World& world, Input& input) {
  wm::SyncResponse response;
  *response.mutable_network_map() = good_map(world, input);
  world.answer(control::kSync, world.sealed(response), false);
}

void send_update(World& world, Input& input) {
  wm::SyncResponse response;
  response.mutable_trellis()->set_base_serial(input.byte());
  response.mutable_trellis()->set_serial(input.byte());
  const std::uint8_t flags = input.byte();
  auto& update = *response.mutable_trellis();
  if (flags & 1) *update.add_changed() = entry(world.bob_public, input.byte());
  if (flags & 2) update.add_removed(control::key_text(world.bob_public));
  world.answer(control::kSync, world.sealed(response), false);
}

/// Anything in a box of the server, or of a peer.
void send_boxed(World& world, Input& input) {
  constexpr std::string_view kMethods[] = {control::kLogin, control::kSync};
  const std::string_view method = kMethods[input.byte() % 2];
  const ByteView plain = input.bytes(input.number() % 2048);
  const auto channel = *control::BoxChannel::create(world.box, world.own_public);
  const ByteVector body = channel.seal(plain, world.random);
  world.answer(method, control::format_envelope({channel.own(), body}), method == control::kLogin);
}

void send_signal(World& world, Input& input) {
  const bool registered = input.byte() % 8 != 0;
  const auto call = world.open.find(std::string(control::kSignalConnectStream));
  if (!world.server || call == world.open.end()) return;
  grpc::Metadata headers;
  if (registered) headers.push_back({std::string(control::kPeerRegisteredMetadata), "1"});
  world.server->send_headers(call->second, headers);
  const ByteView plain = input.bytes(input.byte());
  const auto channel = *control::BoxChannel::create(world.bob, world.own_public);
  const auto& from = input.byte() % 4 == 0 ? world.own_public : world.bob_public;
  world.answer(
      control::kSignalConnectStream,
      control::format_signal_envelope({from, world.own_public, channel.seal(plain, world.random)}),
      false);
}

void send_piece(World& world, Input& input) {
  wire::keys::FetchPiece piece;
  piece.set_offset(input.number());
  piece.set_total(input.byte() == 0 ? 524160 : input.number());
  piece.set_piece(std::string(input.byte(), 'k'));
  world.answer(control::kKeyFetch, control::format_message(piece), false);
}

/// Not even an envelope.
void send_anything(World& world, Input& input) {
  constexpr std::string_view kMethods[] = {control::kGetServerKey, control::kLogin,
                                           control::kSync,         control::kSignalConnectStream,
                                           control::kSignalSend,   control::kKeyUpload,
                                           control::kKeyFetch,     control::kLogout};
  const std::string_view method = kMethods[input.byte() % 8];
  const bool last = input.byte() % 2 == 0;
  world.answer(method, input.bytes(input.byte()), last);
}

void end_call(World& world, Input& input) {
  if (!world.server || world.open.empty()) return;
  auto call = world.open.begin();
  std::advance(call, input.byte() % world.open.size());
  const auto code = static_cast<grpc::StatusCode>(input.byte() % 17);
  world.server->finish(call->second, {code, std::string(text_of(input.bytes(input.byte() % 16)))});
  world.open.erase(call);
  world.run();
}

void use(World& world, Input& input) {
  wire::signal::Body body;
  switch (input.byte() % 6) {
    case 0:
      return world.uplink.retry_now(world.now);
    case 1:
      return world.uplink.log_out(world.now);
    case 2:
      return world.uplink.fetch_key(world.now, kBobName);
    case 3:
      return world.uplink.forget_key(world.now, kBobName);
    case 4:
      (void)world.uplink.set_setup_key(world.now, SecretBuffer(input.bytes(36)));
      return;
    default:
      body.set_type(input.byte() % 2 == 0 ? wire::signal::Body::OFFER : wire::signal::Body::ANSWER);
      return world.uplink.send_signal(world.now, world.bob_public, body);
  }
}

void step(World& world, Input& input) {
  switch (input.byte() % 14) {
    case 0:
      return world.pass(std::chrono::milliseconds(input.number()));
    case 1:
      return world.pass(std::chrono::seconds(input.byte()));
    case 2:
      return answer_hello(world, input);
    case 3:
      return answer_login(world, input);
    case 4:
      return send_map(world, input);
    case 5:
      return send_update(world, input);
    case 6:
      return send_boxed(world, input);
    case 7:
      return send_signal(world, input);
    case 8:
      return send_piece(world, input);
    case 9:
      return send_anything(world, input);
    case 10:
      return end_call(world, input);
    case 11:
      world.server.reset();
      world.open.clear();
      world.uplink.disconnected(world.now, std::string(text_of(input.bytes(8))));
      return world.run();
    case 12:
      if (world.server) world.server->go_away(world.now);
      return world.run();
    default:
      use(world, input);
      return world.run();
  }
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trellis::fuzz::Input input(data, size);
  trellis::fuzz::World world;
  for (int n = 0; n < trellis::fuzz::kStepsMax && !input.at_end(); ++n) {
    trellis::fuzz::step(world, input);
  }
  return 0;
}
