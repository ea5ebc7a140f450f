#include "apps/static_agent.h"

#include "base/log.h"
#include "system/clock.h"
#include "system/secure_file.h"

#include <fmt/format.h>

#include <algorithm>

namespace trellis::apps {
namespace {

constexpr Duration kRetryInterface = 1s;
constexpr Duration kResolveAgain = 60s;
constexpr Duration kSaveAgain = 5s;
constexpr std::size_t kStateBytesMax = 16 << 20;

constexpr std::size_t kPeersFileBytesMax = 4 << 20;
constexpr const char* kEndpointTopic = "endpoint of ";
constexpr const char* kStateFile = "state.json";

std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

pair::Mode mode_of(const netmap::PeersFile& peers) {
  return peers.host.mode == netmap::Mode::Strict ? pair::Mode::Strict : pair::Mode::Permissive;
}

}  // namespace

// ---- setting up ------------------------------------------------------------------------------

StaticAgent::StaticAgent(system::Loop& loop, Options options, system::StateFolder folder,
                         system::Routes routes, OwnKeys keys, netmap::PeersFile peers)
    : loop_(loop),
      options_(std::move(options)),
      folder_(std::move(folder)),
      routes_(std::move(routes)),
      keys_(std::move(keys)),
      peers_(std::move(peers)) {}

Result<netmap::PeersFile> StaticAgent::load_peers(const std::string& path,
                                                  const crypto::PublicKey& own_key) {
  const ByteVector bytes = TRY(system::read_file(path, kPeersFileBytesMax));
  netmap::ParseOptions options;
  const std::size_t slash = path.find_last_of('/');
  options.folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  options.own_key = own_key;
  auto peers = netmap::parse_peers_file(text_of(bytes), options);
  if (!peers) return fail(std::move(peers).error().within(path));
  return peers;
}

Result<StaticAgent::KeyFiles> StaticAgent::map_keys(const netmap::PeersFile& peers) {
  const std::size_t size = crypto::suite_rosenpass().static_kem->sizes().public_key;
  KeyFiles files;
  for (const netmap::PeerSection& peer : peers.peers) {
    if (peer.rosenpass_key.empty()) continue;
    auto file = system::MappedFile::open(peer.rosenpass_key, size);
    if (!file) return fail(std::move(file).error().within("peer " + peer.name));
    files.emplace(peer.name, *std::move(file));
  }
  return files;
}

std::vector<Prefix> StaticAgent::networks() const {
  std::vector<Prefix> networks;
  networks.reserve(peers_.host.addresses.size());
  for (const InterfaceAddress& address : peers_.host.addresses) {
    networks.push_back(address.network());
  }
  return networks;
}

Result<> StaticAgent::check(const Options& options) {
  system::SystemRandom random;
  const OwnKeys keys = TRY(load_keys(options.state_folder, random));
  const netmap::PeersFile peers = TRY(load_peers(options.peers_file, keys.wireguard_public()));
  TRY(map_keys(peers));
  return {};
}

Result<std::unique_ptr<StaticAgent>> StaticAgent::create(system::Loop& loop, Options options) {
  system::StateFolder folder = TRY(system::StateFolder::open(options.state_folder));
  system::SystemRandom random;
  OwnKeys keys = TRY(load_keys(folder.path(), random));
  netmap::PeersFile peers = TRY(load_peers(options.peers_file, keys.wireguard_public()));
  system::Routes routes = TRY(system::Routes::open());
  std::unique_ptr<StaticAgent> self(new StaticAgent(loop, std::move(options), std::move(folder),
                                                    std::move(routes), std::move(keys),
                                                    std::move(peers)));
  TRY(self->start());
  return self;
}

Result<agent::State> StaticAgent::load_state() const {
  const std::string path = folder_.file(kStateFile);
  if (!system::file_exists(path)) return agent::State{};
  const ByteVector bytes = TRY(system::read_file(path, kStateBytesMax));
  auto state = agent::parse_state(text_of(bytes));
  if (!state) return fail(std::move(state).error().within(path));
  return state;
}

Result<> StaticAgent::start() {
  TRY(make_agent());
  TRY(check_overlaps());
  udp_ = TRY(system::UdpSocket::open({.port = peers_.host.listen_port}));
  // What keeps the packets of a killed predecessor in stays if we cannot take its place.
  remove_guards_ = TRY(routes_.guards(peers_.host.interface)).empty();
  TRY(open_interface());
  TRY(join_loop());
  apply_peers();
  remove_guards_ = true;
  return {};
}

Result<> StaticAgent::make_agent() {
  key_files_ = TRY(map_keys(peers_));
  agent::Identity identity{keys_.wireguard.clone(),
                           {keys_.rosenpass_public.bytes(), keys_.rosenpass_secret.clone()}};
  agent::Agent::Options options;
  options.mode = mode_of(peers_);
  agent::State state = TRY(load_state());
  agent_ = TRY(agent::Agent::create(std::move(identity), std::move(state), options, random_));
  return {};
}

Result<> StaticAgent::join_loop() {
  timer_ = TRY(loop_.timer([this] { on_timer(); }));
  retry_interface_ = TRY(loop_.timer([this] { interface_is_gone(); }));
  resolve_again_ = TRY(loop_.timer([this] { resolve_names(); }));
  save_again_ = TRY(loop_.timer([this] { save_state(std::string(unsaved_state_)); }));
  resolver_ = TRY(system::Resolver::create(loop_));
  TRY(watch_interface());
  udp4_watch_ = TRY(loop_.watch(udp_->descriptor(IpAddress::Family::V4), system::Ready::Read,
                                [this] { on_udp_readable(IpAddress::Family::V4); }));
  if (udp_->has_v6()) {
    udp6_watch_ = TRY(loop_.watch(udp_->descriptor(IpAddress::Family::V6), system::Ready::Read,
                                  [this] { on_udp_readable(IpAddress::Family::V6); }));
  }
  system::IpcServer::Options control;
  control.path = options_.control_socket;
  control_ = TRY(system::IpcServer::listen(
      loop_, std::move(control), [this](const system::IpcCaller& caller, std::string_view request) {
        return answer(caller, request);
      }));
  return {};
}

/// An overlay that this host reaches otherwise would lose one of the two, and who knows which.
Result<> StaticAgent::check_overlaps() {
  for (const Prefix& network : networks()) {
    const auto foreign = TRY(routes_.overlapping(network, 0));
    if (foreign.empty()) continue;
    return fail_with(fmt::format(
        "{}: the network {} overlaps with {}, which this host has a route to already: choose other "
        "addresses, or remove that route",
        options_.peers_file, network.to_string(), foreign.front().prefix.to_string()));
  }
  return {};
}

Result<> StaticAgent::open_interface() {
  const netmap::HostSection& host = peers_.host;
  // Should the interface ever disappear unasked, nothing goes out in clear. [pair rule 12] What a
  // predecessor that was killed left behind is taken over.
  for (const Prefix& network : networks()) TRY(routes_.add_guard(network, host.interface));
  tun_ = TRY(system::Tun::create(host.interface));  // fails if another process runs it
  TRY(routes_.remove_guards(host.interface, networks()));
  const std::uint32_t index = TRY(routes_.interface_index(host.interface));
  for (const InterfaceAddress& address : host.addresses) {
    TRY(routes_.add_address(index, address));
  }
  return routes_.bring_up(index, host.mtu);
}

Result<> StaticAgent::watch_interface() {
  tun_watch_ =
      TRY(loop_.watch(tun_->descriptor(), system::Ready::Read, [this] { on_tun_readable(); }));
  return {};
}

StaticAgent::~StaticAgent() {
  tun_watch_.reset();
  tun_.reset();
  if (!remove_guards_) return;
  if (const auto removed = routes_.remove_guards(peers_.host.interface); !removed) {
    LOG(warn, "trellisd", "{}", removed.error().message);
  }
}

// ---- the list of peers -----------------------------------------------------------------------

void StaticAgent::apply_peers() {
  std::vector<pair::PeerConfig> configs;
  for (const netmap::PeerSection& peer : peers_.peers) {
    pair::PeerConfig config;
    config.name = peer.name;
    config.wireguard_key = peer.wireguard_key;
    if (const auto file = key_files_.find(peer.name); file != key_files_.end()) {
      config.rosenpass_key = file->second.bytes();
    }
    config.addresses = peer.addresses;
    config.has_endpoint = peer.endpoint.has_value();
    if (peer.endpoint && peer.endpoint->address) config.endpoints = {*peer.endpoint->address};
    config.keepalive = peer.keepalive;
    configs.push_back(std::move(config));
  }
  agent_->set_wall_clock(system::wall_now());
  agent_->set_peers(system::boot_now(), mode_of(peers_), std::move(configs));
  resolve_names();
  settle();
}

void StaticAgent::resolve_names() {
  bool any = false;
  for (const netmap::PeerSection& peer : peers_.peers) {
    if (!peer.endpoint || peer.endpoint->address) continue;
    any = true;
    // A name server that is silent for longer than the interval must not make a queue.
    if (!resolving_.emplace(peer.name, peer.endpoint->host, peer.endpoint->port).second) continue;
    resolver_->resolve(peer.endpoint->host, peer.endpoint->port,
                       [this, name = peer.name, asked = *peer.endpoint](auto endpoints) {
                         resolving_.erase({name, asked.host, asked.port});
                         on_resolved(name, asked, std::move(endpoints));
                       });
  }
  if (any) resolve_again_.arm(system::boot_now() + kResolveAgain);
}

void StaticAgent::on_resolved(const std::string& peer, const netmap::PeerEndpoint& asked,
                              Result<std::vector<Endpoint>> endpoints) {
  const auto still_asked = [&](const netmap::PeerSection& section) {
    return section.name == peer && section.endpoint == asked;
  };
  if (std::none_of(peers_.peers.begin(), peers_.peers.end(), still_asked)) return;
  const std::string topic = kEndpointTopic + peer;
  if (endpoints) endpoints = outside_of_vpn(*std::move(endpoints));
  if (!endpoints) return warn(topic, topic + ": " + endpoints.error().message);
  warnings_.erase(topic);
  agent_->set_wall_clock(system::wall_now());
  agent_->set_endpoints(system::boot_now(), peer, *std::move(endpoints));
  settle();
}

/// Without the addresses to which no path can lead; fails if no other is left.
Result<std::vector<Endpoint>> StaticAgent::outside_of_vpn(std::vector<Endpoint> endpoints) const {
  Result<> checked;
  std::erase_if(endpoints, [&](const Endpoint& endpoint) {
    auto reachable = netmap::check_underlay(peers_.host, endpoint.address);
    if (reachable) return false;
    checked = std::move(reachable);
    return true;
  });
  if (endpoints.empty() && !checked) return fail(std::move(checked).error());
  return endpoints;
}

Result<> StaticAgent::reload() {
  netmap::PeersFile fresh = TRY(load_peers(options_.peers_file, keys_.wireguard_public()));
  KeyFiles files = TRY(map_keys(fresh));
  for (const std::string& key : netmap::diff(peers_, fresh).host) {
    if (key == "mode" || key == "name") continue;
    return fail_with(options_.peers_file + ": " + key +
                     " changes only by a restart: systemctl restart trellisd");
  }
  peers_ = std::move(fresh);
  // The old mappings are in use until the new list is in force.
  const KeyFiles old = std::exchange(key_files_, std::move(files));
  std::erase_if(warnings_,
                [](const auto& entry) { return entry.first.starts_with(kEndpointTopic); });
  apply_peers();
  LOG(info, "trellisd", "the list of peers was read again peers={}", peers_.peers.size());
  return {};
}

// ---- packets ---------------------------------------------------------------------------------

void StaticAgent::on_tun_readable() {
  agent_->set_wall_clock(system::wall_now());
  if (!pump_.outward(*agent_, *tun_, *udp_)) interface_is_gone();
  settle();
}

void StaticAgent::on_udp_readable(IpAddress::Family family) {
  agent_->set_wall_clock(system::wall_now());
  if (!pump_.inward(*agent_, *udp_, family, tun_ ? &*tun_ : nullptr)) interface_is_gone();
  settle();
}

void StaticAgent::on_timer() {
  agent_->set_wall_clock(system::wall_now());
  agent_->handle_timeout(system::boot_now());
  settle();
}

void StaticAgent::settle() {
  if (const auto text = agent_->poll_state()) save_state(*text);
  pump_.flush(*agent_, *udp_);
  timer_.arm(agent_->next_timeout());
}

void StaticAgent::interface_is_gone() {
  tun_watch_.reset();
  tun_.reset();
  const auto reopened = open_interface();
  if (reopened && watch_interface()) {
    warnings_.erase("interface");
    LOG(warn, "trellisd", "the interface {} had disappeared and was made again",
        peers_.host.interface);
    return;
  }
  tun_.reset();
  if (!reopened) warn("interface", reopened.error().message);
  retry_interface_.arm(system::boot_now() + kRetryInterface);
}

// ---- the rest --------------------------------------------------------------------------------

std::string StaticAgent::answer(const system::IpcCaller& caller, std::string_view request) {
  agent_->set_wall_clock(system::wall_now());
  const agent::Reply reply = agent::handle_request(*agent_, system::boot_now(), facts(),
                                                   {.may_change = caller.is_root}, request);
  if (reply.reload) {
    if (const auto done = reload(); !done) return agent::refusal(done.error().message);
  }
  settle();
  return reply.text;
}

void StaticAgent::save_state(const std::string& text) {
  const auto written = system::write_secret_file(folder_.file(kStateFile), as_bytes(text));
  if (written) {
    unsaved_state_.clear();
    save_again_.disarm();
    warnings_.erase("state");
    return;
  }
  // Going on is safe while we run; only a restart could miss what is lost: pins, and the mark for a
  // clock set back. So it is tried until it succeeds.
  unsaved_state_ = text;
  save_again_.arm(system::boot_now() + kSaveAgain);
  warn("state", written.error().message);
}

void StaticAgent::warn(const std::string& topic, std::string text) {
  if (warnings_[topic] == text) return;
  LOG(warn, "trellisd", "{}", text);
  warnings_[topic] = std::move(text);
}

agent::HostFacts StaticAgent::facts() const {
  agent::HostFacts facts;
  facts.name = peers_.host.name;
  facts.interface = peers_.host.interface;
  facts.addresses = peers_.host.addresses;
  facts.listen_port = udp_->port();
  for (const auto& [topic, text] : warnings_) facts.warnings.push_back(text);
  return facts;
}

}  // namespace trellis::apps
