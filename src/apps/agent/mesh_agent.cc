#include "apps/agent/mesh_agent.h"

#include "apps/offloads.h"
#include "apps/wireguard_socket.h"
#include "base/log.h"
#include "node/netmap/underlay.h"
#include "system/clock.h"
#include "system/host_name.h"
#include "system/limits.h"
#include "system/secure_file.h"

#include <fmt/format.h>

namespace trellis::apps {
namespace {

constexpr Duration kRetryInterface = 5s;
constexpr Duration kRetryNames = 5s;
constexpr const char* kInterfaceTopic = "network";
constexpr const char* kNamesTopic = "names";
constexpr const char* kPortTopic = "port";

}  // namespace

Result<std::unique_ptr<MeshAgent>> MeshAgent::create(system::Loop& loop,
                                                     const system::StateFolder& folder,
                                                     Options options,
                                                     std::optional<SecretBuffer> setup_key,
                                                     Callbacks callbacks) {
  std::unique_ptr<MeshAgent> self(
      new MeshAgent(loop, folder, std::move(options), std::move(callbacks)));
  TRY(self->start(std::move(setup_key)));
  return self;
}

MeshAgent::~MeshAgent() = default;

// ---- setting up ------------------------------------------------------------------------------

Result<> MeshAgent::start(std::optional<SecretBuffer> setup_key) {
  system::raise_descriptor_limit();  // one for each key in use
  steps_.begin(mesh::Steps::Keys, system::boot_now());
  if (!system::file_exists(folder_.file(kWireGuardKeyFile))) {
    TRY(create_keys(folder_, random_));  // on disk before the server hears of them
    LOG(info, "trellisd", "made the keys of this machine");
  }
  keys_ = TRY(load_keys(folder_.path(), random_));
  steps_.end(mesh::Steps::Keys, system::boot_now());

  TRY(open_socket());
  TRY(make_node());
  if (setup_key) TRY(node_->set_setup_key(system::boot_now(), *std::move(setup_key)));
  TRY(join_loop());
  publish_addresses();
  settle();
  return {};
}

Result<> MeshAgent::open_socket() {
  auto udp = system::UdpSocket::open({.port = network_.listen_port, .offloads = udp_offloads()});
  if (!udp && network_.listen_port != 0) {
    // Any port will do: peers learn it from the server.
    warnings_.set(kPortTopic, udp.error().message + "; another port is used");
    udp = system::UdpSocket::open({.port = 0, .offloads = udp_offloads()});
  }
  udp_ = TRY(std::move(udp));
  return {};
}

mesh::Memory MeshAgent::load_memory(const crypto::PublicKey& own_key) {
  const auto text = memory_->load();
  if (text && !*text) return {};
  auto memory =
      text ? mesh::parse_memory(**text, own_key) : Result<mesh::Memory>(fail(text.error()));
  if (memory) return *std::move(memory);
  LOG(warn, "trellisd", "{}: {}; the server is asked", memory_->path(), memory.error().message);
  return {};
}

Result<> MeshAgent::make_node() {
  state_ = TRY(StateFile::create(loop_, folder_.file(kStateFile), warnings_));
  memory_ = TRY(StateFile::create(loop_, folder_.file(kMemoryFile), warnings_));
  peer_keys_ = TRY(PeerKeys::open(folder_.file(kPeerKeysFolder)));

  mesh::Node::Options options;
  options.mode = network_.mode;
  options.uplink.authority = network_.server.authority();
  options.uplink.allowed_domain = allowed_domain_;
  options.uplink.instance = random_.bytes<16>();
  options.uplink.never_joined = !network_.registered;
  options.uplink.facts.host_name = network_.host_name;
  const system::SystemFacts facts = system::system_facts();
  options.uplink.facts.system = facts.system;
  options.uplink.facts.kernel = facts.kernel;
  options.uplink.facts.platform = facts.machine;
  agent::Identity identity{keys_->wireguard.clone(),
                           {keys_->rosenpass_public.bytes(), std::move(keys_->rosenpass_secret)}};
  agent::State state = TRY(load_state(*state_));
  node_ = TRY(mesh::Node::create(system::boot_now(), std::move(identity), std::move(state),
                                 load_memory(keys_->wireguard_public()), std::move(options),
                                 *peer_keys_, random_));
  node_->set_wall_clock(system::wall_now());
  return {};
}

Result<> MeshAgent::join_loop() {
  timer_ = TRY(loop_.timer([this] { on_timer(); }));
  retry_interface_ = TRY(loop_.timer([this] { open_interface(); }));
  retry_names_ = TRY(loop_.timer([this] { open_names(); }));
  resolver_ = TRY(system::Resolver::create(loop_));
  system::ClientTls::Options tls;
  tls.server_name = network_.server.host;
  tls.pinned_key = network_.server.fingerprint;
  tls_ = TRY(system::ClientTls::create(std::move(tls)));
  system::NetworkMonitor::Options monitor;
  monitor.ignored_interface = network_.interface;
  monitor_ =
      TRY(system::NetworkMonitor::create(loop_, std::move(monitor), [this](const NetworkState&) {
        publish_addresses();
        node_->network_changed(system::boot_now());
        settle();
      }));
  udp4_watch_ = TRY(loop_.watch(udp_->descriptor(IpAddress::Family::V4), system::Ready::Read,
                                [this] { on_udp_readable(IpAddress::Family::V4); }));
  if (udp_->has_v6()) {
    udp6_watch_ = TRY(loop_.watch(udp_->descriptor(IpAddress::Family::V6), system::Ready::Read,
                                  [this] { on_udp_readable(IpAddress::Family::V6); }));
  }
  return {};
}

// ---- what the node decides -------------------------------------------------------------------

void MeshAgent::settle() {
  const TimePoint now = system::boot_now();
  if (const auto text = node_->poll_state()) state_->save(*text);
  if (const auto text = node_->poll_memory(now)) memory_->save(*text);
  while (auto event = node_->poll_event()) {
    std::visit([this](const auto& what) { handle(what); }, *event);
  }
  pump_.flush(*node_, *udp_);
  feed_stream();
  timer_.arm(node_->next_timeout());
}

void MeshAgent::feed_stream() {
  while (stream_takes_) {
    const ByteVector bytes = node_->poll_stream();
    if (bytes.empty()) return;
    stream_takes_ = stream_->send(bytes);
  }
}

void MeshAgent::handle(const mesh::Connect&) {
  steps_.begin(mesh::Steps::Connect, system::boot_now());
  system::Stream::Events events;
  events.connected = [this] {
    tls_facts_ = stream_->tls();
    stream_takes_ = true;
    steps_.end(mesh::Steps::Connect, system::boot_now());
    steps_.begin(mesh::Steps::Login, system::boot_now());
    LOG(info, "trellisd", "connected to the server {} {} group={}", network_.server.authority(),
        tls_facts_.version, tls_facts_.group);
    node_->connected(system::boot_now());
    settle();
  };
  events.received = [this](ByteView bytes) {
    node_->set_wall_clock(system::wall_now());
    node_->receive_stream(system::boot_now(), bytes);
    settle();
  };
  events.writable = [this] {
    stream_takes_ = true;
    settle();
  };
  events.closed = [this](const std::string& why) { on_stream_closed(why); };
  system::Stream::ConnectOptions options;
  options.host = network_.server.host;
  options.port = network_.server.port;
  stream_takes_ = false;
  stream_ = system::Stream::connect(loop_, *resolver_, tls_, options, std::move(events));
}

void MeshAgent::on_stream_closed(const std::string& why) {
  stream_takes_ = false;
  LOG(info, "trellisd", "no connection to the server {}: {}", network_.server.authority(), why);
  node_->disconnected(system::boot_now(), why);
  settle();
}

void MeshAgent::handle(const mesh::Disconnect&) {
  stream_takes_ = false;
  stream_.reset();
}

void MeshAgent::handle(const mesh::AddressesChanged& event) {
  steps_.end(mesh::Steps::Map, system::boot_now());
  if (event.addresses == addresses_ && interface_) return;
  addresses_ = event.addresses;
  dns_.reset();
  retry_names_.disarm();
  interface_.reset();
  open_interface();
}

void MeshAgent::handle(const mesh::Joined& event) {
  steps_.end(mesh::Steps::Login, system::boot_now());
  steps_.begin(mesh::Steps::Map, system::boot_now());
  network_.registered = true;
  if (callbacks_.joined) callbacks_.joined(event.registered);
}

void MeshAgent::handle(const mesh::LoggedOut& event) {
  if (callbacks_.logged_out) callbacks_.logged_out(event.error);
}

void MeshAgent::open_interface() {
  retry_interface_.disarm();  // it is for addresses that may not be ours any more
  OverlayInterface::Options options;
  options.name = network_.interface;
  options.addresses = addresses_;
  options.answer_wg = [this](std::string_view request) {
    return answer_to_reader(node_->agent().wireguard(), {.listen_port = udp_->port()}, request);
  };
  auto interface =
      OverlayInterface::open(loop_, std::move(options), warnings_, [this] { on_tun_readable(); });
  if (!interface) {
    warnings_.set(kInterfaceTopic, interface.error().message);
    retry_interface_.arm(system::boot_now() + kRetryInterface);
    return;
  }
  warnings_.clear(kInterfaceTopic);
  interface_ = *std::move(interface);
  open_names();
}

/// Somebody else may have the port: names do not work then, and all else does.
void MeshAgent::open_names() {
  retry_names_.disarm();
  system::DnsSocket::Options names;
  for (const InterfaceAddress& address : addresses_) names.addresses.push_back(address.address);
  auto dns = system::DnsSocket::open(loop_, std::move(names),
                                     [this](ByteView query, dns::Transport transport) {
                                       return node_->answer_name(query, transport);
                                     });
  if (!dns) {
    warnings_.set(kNamesTopic, dns.error().message);
    retry_names_.arm(system::boot_now() + kRetryNames);
    return;
  }
  warnings_.clear(kNamesTopic);
  dns_ = *std::move(dns);
}

/// Where peers can reach this host: its addresses, without those of the VPN.
void MeshAgent::publish_addresses() {
  std::vector<Prefix> overlay;
  overlay.reserve(addresses_.size());
  for (const InterfaceAddress& address : addresses_) overlay.push_back(address.network());
  std::vector<Endpoint> endpoints;
  for (const IpAddress& address :
       netmap::host_addresses(monitor_->state().interfaces, network_.interface, overlay)) {
    if (address.is_v6() && !udp_->has_v6()) continue;
    endpoints.push_back({address, udp_->port()});
  }
  node_->set_local_endpoints(system::boot_now(), std::move(endpoints));
}

// ---- what comes in ---------------------------------------------------------------------------

void MeshAgent::on_tun_readable() {
  node_->set_wall_clock(system::wall_now());
  if (!pump_.outward(*node_, *interface_->tun(), *udp_)) interface_->is_gone();
  settle();
}

void MeshAgent::on_udp_readable(IpAddress::Family family) {
  node_->set_wall_clock(system::wall_now());
  system::Tun* tun = interface_ ? interface_->tun() : nullptr;
  if (!pump_.inward(*node_, *udp_, family, tun)) interface_->is_gone();
  settle();
}

void MeshAgent::on_timer() {
  node_->set_wall_clock(system::wall_now());
  node_->handle_timeout(system::boot_now());
  settle();
}

Result<> MeshAgent::set_setup_key(SecretBuffer text) {
  TRY(node_->set_setup_key(system::boot_now(), std::move(text)));
  settle();
  return {};
}

void MeshAgent::log_out() {
  node_->log_out(system::boot_now());
  settle();
}

mesh::Facts MeshAgent::facts() const {
  mesh::Facts facts;
  facts.host.name = node_->map() ? node_->map()->name : network_.host_name;
  facts.host.interface = network_.interface;
  facts.host.addresses = addresses_;
  facts.host.listen_port = udp_->port();
  facts.host.warnings = warnings_.texts();
  facts.server = network_.server.to_string();
  if (stream_ && stream_->open()) facts.tls = tls_facts_.version + " " + tls_facts_.group;
  facts.steps = steps_;
  return facts;
}

}  // namespace trellis::apps
