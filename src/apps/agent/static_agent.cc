#include "apps/agent/static_agent.h"

#include "apps/offloads.h"
#include "apps/wireguard_socket.h"
#include "base/log.h"
#include "system/clock.h"
#include "system/limits.h"
#include "system/secure_file.h"

#include <algorithm>

namespace trellis::apps {
namespace {

constexpr Duration kResolveAgain = 60s;
constexpr std::size_t kPeersFileBytesMax = 4 << 20;
constexpr const char* kEndpointTopic = "endpoint of ";
constexpr const char* kStateFile = "state.json";
constexpr const char* kDigestsFile = "key-digests";
/// Keys of so many peers stay in memory.
constexpr std::size_t kKeysInMemory = 16;

std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

pair::Mode mode_of(const netmap::PeersFile& peers) {
  return peers.host.mode == netmap::Mode::Strict ? pair::Mode::Strict : pair::Mode::Permissive;
}

}  // namespace

// ---- setting up ------------------------------------------------------------------------------

StaticAgent::StaticAgent(system::Loop& loop, Options options, system::StateFolder folder,
                         OwnKeys keys, netmap::PeersFile peers)
    : loop_(loop),
      options_(std::move(options)),
      folder_(std::move(folder)),
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

Result<system::MappedFile> StaticAgent::map_key(const netmap::PeerSection& peer) {
  auto file = system::MappedFile::open(peer.rosenpass_key,
                                       crypto::suite_rosenpass().static_kem->sizes().public_key);
  if (!file) return fail(std::move(file).error().within("peer " + peer.name));
  return file;
}

Result<StaticAgent::KeyFiles> StaticAgent::map_keys(const netmap::PeersFile& peers) const {
  const std::string path = folder_.file(kDigestsFile);
  const DigestCache before = load_digests(path);
  DigestCache cache = before;
  KeyFiles files;
  for (const netmap::PeerSection& peer : peers.peers) {
    if (peer.rosenpass_key.empty()) continue;
    system::MappedFile file = TRY(map_key(peer));
    const rosenpass::KeyDigests digests = cache.digests_of(file, rosenpass::Version::V02);
    files.emplace(peer.name, KeyFile{std::move(file), digests});
  }
  if (cache != before) save_digests(path, cache);
  return files;
}

Result<> StaticAgent::check(const Options& options) {
  system::SystemRandom random;
  const OwnKeys keys = TRY(load_keys(options.state_folder, random));
  const netmap::PeersFile peers = TRY(load_peers(options.peers_file, keys.wireguard_public()));
  for (const netmap::PeerSection& peer : peers.peers) {
    if (!peer.rosenpass_key.empty()) TRY(map_key(peer));
  }
  return {};
}

Result<std::unique_ptr<StaticAgent>> StaticAgent::create(system::Loop& loop, Options options) {
  system::raise_descriptor_limit();  // one for each key
  system::StateFolder folder = TRY(system::StateFolder::open(options.state_folder));
  system::SystemRandom random;
  OwnKeys keys = TRY(load_keys(folder.path(), random));
  netmap::PeersFile peers = TRY(load_peers(options.peers_file, keys.wireguard_public()));
  std::unique_ptr<StaticAgent> self(new StaticAgent(loop, std::move(options), std::move(folder),
                                                    std::move(keys), std::move(peers)));
  TRY(self->start());
  return self;
}

Result<> StaticAgent::start() {
  TRY(make_agent());
  udp_ =
      TRY(system::UdpSocket::open({.port = peers_.host.listen_port, .offloads = udp_offloads()}));
  TRY(open_interface());
  TRY(join_loop());
  apply_peers();
  return {};
}

Result<> StaticAgent::make_agent() {
  key_files_ = TRY(map_keys(peers_));
  agent::Identity identity{keys_.wireguard.clone(),
                           {keys_.rosenpass_public.bytes(), std::move(keys_.rosenpass_secret)}};
  agent::Agent::Options options;
  options.mode = mode_of(peers_);
  state_ = TRY(StateFile::create(loop_, folder_.file(kStateFile), warnings_));
  agent::State state = TRY(load_state(*state_));
  agent_ = TRY(agent::Agent::create(std::move(identity), std::move(state), options, random_));
  return {};
}

Result<> StaticAgent::join_loop() {
  timer_ = TRY(loop_.timer([this] { on_timer(); }));
  resolve_again_ = TRY(loop_.timer([this] { resolve_names(); }));
  resolver_ = TRY(system::Resolver::create(loop_));
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

Result<> StaticAgent::open_interface() {
  OverlayInterface::Options options;
  options.name = peers_.host.interface;
  options.addresses = peers_.host.addresses;
  options.mtu = peers_.host.mtu;
  options.answer_wg = [this](std::string_view request) {
    return answer_to_reader(agent_->wireguard(), {.listen_port = udp_->port()}, request);
  };
  auto interface =
      OverlayInterface::open(loop_, std::move(options), warnings_, [this] { on_tun_readable(); });
  if (!interface) return fail(std::move(interface).error().within(options_.peers_file));
  interface_ = *std::move(interface);
  return {};
}

StaticAgent::~StaticAgent() = default;

// ---- the list of peers -----------------------------------------------------------------------

void StaticAgent::apply_peers() {
  std::vector<pair::PeerConfig> configs;
  for (const netmap::PeerSection& peer : peers_.peers) {
    pair::PeerConfig config;
    config.name = peer.name;
    config.wireguard_key = peer.wireguard_key;
    if (const auto file = key_files_.find(peer.name); file != key_files_.end()) {
      config.rosenpass_key = file->second.file.bytes();
      config.digests = file->second.digests;
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
  if (!endpoints) return warnings_.set(topic, topic + ": " + endpoints.error().message);
  warnings_.clear(topic);
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
  warnings_.clear_all_of(kEndpointTopic);
  apply_peers();
  LOG(info, "trellisd", "the list of peers was read again peers={}", peers_.peers.size());
  return {};
}

// ---- packets ---------------------------------------------------------------------------------

void StaticAgent::on_tun_readable() {
  agent_->set_wall_clock(system::wall_now());
  if (!pump_.outward(*agent_, *interface_->tun(), *udp_)) interface_->is_gone();
  settle();
}

void StaticAgent::on_udp_readable(IpAddress::Family family) {
  agent_->set_wall_clock(system::wall_now());
  if (!pump_.inward(*agent_, *udp_, family, interface_->tun())) interface_->is_gone();
  settle();
}

void StaticAgent::on_timer() {
  agent_->set_wall_clock(system::wall_now());
  agent_->handle_timeout(system::boot_now());
  settle();
}

void StaticAgent::settle() {
  if (const auto text = agent_->poll_state()) state_->save(*text);
  pump_.flush(*agent_, *udp_);
  timer_.arm(agent_->next_timeout());
  let_keys_go();
}

/// The next exchange reads them again: not worth it for few.
void StaticAgent::let_keys_go() {
  for (const crypto::PublicKey& key : agent_->take_read_keys()) {
    const pair::Pair* pair = agent_->find_pair(key);
    const auto file = pair ? key_files_.find(pair->config().name) : key_files_.end();
    if (file != key_files_.end() && key_files_.size() > kKeysInMemory) file->second.file.let_go();
  }
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

agent::HostFacts StaticAgent::facts() const {
  agent::HostFacts facts;
  facts.name = peers_.host.name;
  facts.interface = peers_.host.interface;
  facts.addresses = peers_.host.addresses;
  facts.listen_port = udp_->port();
  facts.warnings = warnings_.texts();
  return facts;
}

}  // namespace trellis::apps
