#pragma once

#include "apps/agent/network_file.h"
#include "apps/agent/overlay_interface.h"
#include "apps/agent/peer_keys.h"
#include "apps/agent/state_file.h"
#include "apps/agent/warnings.h"
#include "apps/key_store.h"
#include "apps/packet_pump.h"
#include "node/mesh/control.h"
#include "node/mesh/node.h"
#include "system/dns_socket.h"
#include "system/interfaces.h"
#include "system/loop.h"
#include "system/random.h"
#include "system/resolver.h"
#include "system/stream.h"
#include "system/udp.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace trellis::apps {

/// A machine that is up in a network: one node and what it needs around it. Carries what the node
/// decides to sockets, the server's connection, the interface and files, and back; decides nothing
/// itself. As long as it lives the tunnel is there.
class MeshAgent {
 public:
  struct Options {
    NetworkFile network;
    std::string allowed_domain;  // see netmap::MapContext
  };
  struct Callbacks {
    /// The server knows us; `registered`: since now.
    std::function<void(bool registered)> joined;
    /// We asked to leave. It may not be destroyed inside this call.
    std::function<void(const std::optional<std::string>& error)> logged_out;
  };

  /// Everything that can be wrong with keys, files and sockets is found here. `loop` and `folder`
  /// must outlive the result.
  static Result<std::unique_ptr<MeshAgent>> create(system::Loop& loop,
                                                   const system::StateFolder& folder,
                                                   Options options,
                                                   std::optional<SecretBuffer> setup_key,
                                                   Callbacks callbacks);
  MeshAgent(const MeshAgent&) = delete;
  MeshAgent& operator=(const MeshAgent&) = delete;
  ~MeshAgent();

  const NetworkFile& network() const { return network_; }
  Result<> set_setup_key(SecretBuffer text);
  void log_out();
  mesh::Facts facts() const;
  mesh::Node& node() { return *node_; }
  /// To be called after each use of `node()`.
  void settle();

 private:
  MeshAgent(system::Loop& loop, const system::StateFolder& folder, Options options,
            Callbacks callbacks)
      : loop_(loop),
        folder_(folder),
        network_(std::move(options.network)),
        allowed_domain_(std::move(options.allowed_domain)),
        callbacks_(std::move(callbacks)) {}

  Result<> start(std::optional<SecretBuffer> setup_key);
  Result<> make_node();
  Result<> open_socket();
  Result<> join_loop();
  mesh::Memory load_memory(const crypto::PublicKey& own_key);

  void handle(const mesh::Connect& event);
  void handle(const mesh::Disconnect& event);
  void handle(const mesh::AddressesChanged& event);
  void handle(const mesh::Joined& event);
  void handle(const mesh::LoggedOut& event);
  void open_interface();
  void open_names();
  void publish_addresses();
  void feed_stream();

  void on_stream_closed(const std::string& why);
  void on_tun_readable();
  void on_udp_readable(IpAddress::Family family);
  void on_timer();

  system::Loop& loop_;
  const system::StateFolder& folder_;
  NetworkFile network_;
  std::string allowed_domain_;
  Callbacks callbacks_;
  system::SystemRandom random_;
  Warnings warnings_;
  std::optional<StateFile> state_;
  std::optional<StateFile> memory_;
  std::unique_ptr<PeerKeys> peer_keys_;
  std::optional<OwnKeys> keys_;
  std::optional<system::ClientTls> tls_;
  std::optional<system::Resolver> resolver_;
  std::optional<system::UdpSocket> udp_;
  std::unique_ptr<mesh::Node> node_;
  std::vector<InterfaceAddress> addresses_;  // that the interface shall have
  system::TlsFacts tls_facts_;               // of the last connection
  mesh::Steps steps_;

  PacketPump<mesh::Node> pump_;

  // Last, so that they are gone before what their callbacks use.
  std::unique_ptr<OverlayInterface> interface_;
  std::optional<system::DnsSocket> dns_;
  std::optional<system::NetworkMonitor> monitor_;
  std::optional<system::Stream> stream_;
  bool stream_takes_ = false;
  system::Timer timer_;
  system::Timer retry_interface_;
  system::Timer retry_names_;
  system::Watch udp4_watch_;
  system::Watch udp6_watch_;
};

}  // namespace trellis::apps
