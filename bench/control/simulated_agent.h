#pragma once

#include "node/uplink/uplink.h"
#include "system/loop.h"
#include "system/resolver.h"
#include "system/stream.h"
#include "system/tls.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace trellis::bench {

/// What all agents have in common.
struct World {
  system::Loop& loop;
  system::Resolver& resolver;
  system::ClientTls tls;
  Random& random;
  std::string host;
  std::uint16_t port = 0;
  std::string authority;
};

/// An agent as the server sees one: a real uplink over a real TLS connection, and nothing behind
/// it.
class SimulatedAgent {
 public:
  /// `seen` is called after everything that may have changed what the agent knows.
  /// `with_key`: it has a Rosenpass key, and uploads it. (Random bytes: nobody runs an exchange.)
  SimulatedAgent(World& world, std::size_t number, bool with_key, std::function<void()> seen);
  SimulatedAgent(const SimulatedAgent&) = delete;
  SimulatedAgent& operator=(const SimulatedAgent&) = delete;
  ~SimulatedAgent() = default;

  /// Joins the network.
  Result<> start(std::string_view setup_key);

  // Since the last clear().
  bool logged_in() const { return logged_in_; }
  bool synced() const { return synced_; }
  bool uploaded() const { return uploaded_; }
  std::uint64_t maps() const { return maps_; }
  void clear() { logged_in_ = synced_ = uploaded_ = false; }

  const std::string& name() const { return name_; }
  /// The map in force; nullptr: none yet.
  const netmap::Map* map() const { return uplink_->map(); }
  std::size_t peers() const;
  bool knows(const crypto::PublicKey& key, std::string_view name) const;
  const crypto::PublicKey& key() const { return key_; }
  const std::string& error() const { return error_; }
  uplink::Status status() const { return uplink_->status(); }

 private:
  void drain();
  void flush();
  void connect();
  void handle(const uplink::Event& event);

  World& world_;
  std::function<void()> seen_;
  ByteVector rosenpass_;
  crypto::PublicKey key_;
  std::optional<uplink::Uplink> uplink_;
  std::optional<system::Timer> timer_;
  system::Stream stream_;
  bool writable_ = false;
  bool logged_in_ = false;
  bool synced_ = false;
  bool uploaded_ = false;
  std::uint64_t maps_ = 0;
  std::string name_;
  std::string error_;
};

}  // namespace trellis::bench
