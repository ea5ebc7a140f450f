#pragma once

#include "protocol/control/join_line.h"
#include "server/gateway/gateway.h"
#include "system/ipc.h"
#include "system/loop.h"
#include "system/random.h"
#include "system/state_folder.h"
#include "system/store/key_folder.h"
#include "system/store/sqlite_store.h"
#include "system/stream_listener.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace trellis::apps {

/// `trellis-server`: the gateway and the machine around it. Carries bytes between the gateway and
/// TLS connections, and administrators' questions to it; decides nothing itself.
class ServerHost {
 public:
  struct Options {
    std::string state_folder;
    std::string control_socket;
    std::vector<Endpoint> listen;
    std::string public_name;       // HOST or HOST:PORT; empty: see public_address()
    std::string certificate_file;  // PEM, with key_file; empty: one of our own making
    std::string key_file;
    bool plain = false;  // without TLS, on loopback: a proxy in front does it
  };

  /// Everything that can be wrong with options, files and machine is found here. `loop` must
  /// outlive the result.
  static Result<std::unique_ptr<ServerHost>> create(system::Loop& loop, Options options);
  /// Reads options and certificates, and changes nothing: `--check`.
  static Result<> check(const Options& options);

  ServerHost(const ServerHost&) = delete;
  ServerHost& operator=(const ServerHost&) = delete;
  ~ServerHost();

  /// Reads the certificate again. On an error the old one stays in force. [SIGHUP]
  void reload_certificate();
  /// Takes no new connection, tells all agents to go, and calls back when they are gone, after two
  /// seconds at the latest. [SIGTERM]
  void drain(std::function<void()> done);

  /// Where agents reach it, as in a join line.
  std::string join_url() const;
  const std::vector<Endpoint>& listening() const { return listener_->endpoints(); }

 private:
  struct Connection {
    system::Stream stream;
    bool full = false;     // it takes no more bytes now
    bool closing = false;  // the gateway is done with it
  };
  struct Leaving {
    server::ConnectionId id;
    TimePoint deadline;
  };

  ServerHost(system::Loop& loop, Options options, system::StateFolder folder,
             system::KeyFolder keys);
  Result<> start();
  Result<> load_certificate();
  Result<> open_gateway();
  Result<> open_sockets();

  TimePoint enter();
  void on_accept(system::Stream stream, const Endpoint& source);
  void on_received(server::ConnectionId id, ByteView bytes);
  void on_closed(server::ConnectionId id, const std::string& why);
  void on_timer();
  void on_certificate_timer();
  /// Does what the gateway wants done after a call.
  void settle();
  void pump(server::ConnectionId id);
  void leave(server::ConnectionId id, Connection& connection);
  void end_overdue(TimePoint now);
  void finish_drain();
  std::string answer(const system::IpcCaller& caller, std::string_view request);
  std::string with_host_facts(const std::string& answer) const;

  system::Loop& loop_;
  Options options_;
  system::StateFolder folder_;
  system::KeyFolder keys_;
  system::SystemRandom random_;
  std::string certificate_warning_;  // empty: none
  TimePoint started_{};
  control::JoinLine public_;
  std::optional<system::ServerTls> tls_;
  std::unique_ptr<system::SqliteStore> store_;
  std::unique_ptr<server::Gateway> gateway_;
  std::unordered_map<server::ConnectionId, Connection> connections_;
  std::deque<Leaving> leaving_;  // in the order of their deadlines; some may be gone
  std::function<void()> drained_;

  // Last, so that they are gone before what their callbacks use.
  std::optional<system::StreamListener> listener_;
  std::optional<system::IpcServer> control_;
  system::Timer timer_;
  system::Timer certificate_timer_;
  system::Timer drain_timer_;
};

}  // namespace trellis::apps
