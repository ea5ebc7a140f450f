#include "simulated_agent.h"

#include "crypto/x25519.h"
#include "protocol/rosenpass/key.h"
#include "system/clock.h"

#include <algorithm>

namespace trellis::bench {

namespace {

constexpr std::size_t kRosenpassKeyBytes = 524'160;
constexpr std::uint8_t kSuite = 1;

uplink::Options options_of(World& world, std::size_t number) {
  uplink::Options options;
  options.authority = world.authority;
  options.facts.host_name = "agent-" + std::to_string(number);
  options.facts.system = "linux";
  options.facts.kernel = "6.1.0";
  options.facts.platform = "x86_64";
  options.facts.distribution = "Debian GNU/Linux";
  options.facts.distribution_version = "12";
  options.facts.addresses = {*Prefix::parse("192.0.2.7/32")};
  options.instance = world.random.bytes<16>();
  options.never_joined = true;
  return options;
}

}  // namespace

SimulatedAgent::SimulatedAgent(World& world, std::size_t number, bool with_key,
                               std::function<void()> seen)
    : world_(world), seen_(std::move(seen)) {
  uplink::Identity identity{.wireguard = crypto::generate_private_key(world.random),
                            .rosenpass = {},
                            .rosenpass_public = {}};
  key_ = crypto::public_key(identity.wireguard);
  if (with_key) {
    rosenpass_.resize(kRosenpassKeyBytes);
    world.random.fill(rosenpass_);
    identity.rosenpass = pair::KeyName{kSuite, rosenpass::peer_hash(rosenpass_)};
    identity.rosenpass_public = rosenpass_;
  }
  uplink_.emplace(system::boot_now(), std::move(identity), options_of(world, number), world.random);
}

Result<> SimulatedAgent::start(std::string_view setup_key) {
  timer_ = TRY(world_.loop.timer([this] {
    uplink_->handle_timeout(system::boot_now());
    drain();
  }));
  TRY(uplink_->set_setup_key(system::boot_now(), SecretBuffer(as_bytes(setup_key))));
  uplink_->handle_timeout(system::boot_now());
  drain();
  return {};
}

std::size_t SimulatedAgent::peers() const {
  return uplink_->map() == nullptr ? 0 : uplink_->map()->peers.size();
}

bool SimulatedAgent::knows(const crypto::PublicKey& key, std::string_view name) const {
  const netmap::Map* map = uplink_->map();
  if (map == nullptr) return false;
  const auto found = std::ranges::lower_bound(map->peers, key, {}, &netmap::MapPeer::wireguard_key);
  return found != map->peers.end() && found->wireguard_key == key && found->name == name;
}

void SimulatedAgent::drain() {
  while (const auto event = uplink_->poll_event()) handle(*event);
  flush();
  timer_->arm(uplink_->next_timeout());
  seen_();
}

void SimulatedAgent::flush() {
  while (writable_) {
    const ByteVector bytes = uplink_->poll_transmit();
    if (bytes.empty()) return;
    writable_ = stream_.send(bytes);
  }
}

void SimulatedAgent::connect() {
  system::Stream::Events events;
  events.connected = [this] {
    writable_ = true;
    uplink_->connected(system::boot_now());
    drain();
  };
  events.received = [this](ByteView bytes) {
    uplink_->receive(system::boot_now(), bytes);
    drain();
  };
  events.writable = [this] {
    writable_ = true;
    drain();
  };
  events.closed = [this](const std::string& why) {
    writable_ = false;
    uplink_->disconnected(system::boot_now(), why);
    drain();
  };
  stream_ = system::Stream::connect(world_.loop, world_.resolver, world_.tls,
                                    {.host = world_.host, .port = world_.port, .timeout = 30s},
                                    std::move(events));
}

void SimulatedAgent::handle(const uplink::Event& event) {
  if (std::holds_alternative<uplink::Connect>(event)) {
    connect();
  } else if (std::holds_alternative<uplink::Disconnect>(event)) {
    writable_ = false;
    stream_ = system::Stream();
  } else if (const auto* login = std::get_if<uplink::LoggedIn>(&event)) {
    logged_in_ = true;
    name_ = login->name;
  } else if (std::holds_alternative<uplink::MapChanged>(event)) {
    ++maps_;
  } else if (std::holds_alternative<uplink::Synced>(event)) {
    synced_ = true;
  } else if (std::holds_alternative<uplink::KeyUploaded>(event)) {
    uploaded_ = true;
  } else if (const auto* refused = std::get_if<uplink::Refused>(&event)) {
    error_ = refused->message;
  }
}

}  // namespace trellis::bench
