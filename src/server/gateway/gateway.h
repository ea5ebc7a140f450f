#pragma once

#include "base/address.h"
#include "base/random.h"
#include "server/management/calls.h"
#include "server/store/store.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::server {

/// Everything of trellis-server that stands behind its listening socket: connections, the calls on
/// them, the services that answer the calls. Pure: bytes, time and the store in; bytes and a
/// deadline out.
///
/// After every call that takes `now`: ask `poll_ready` until it is empty, and for each connection
/// that it names call `poll_transmit` as long as the transport can take more; when that is empty
/// and `to_close` holds, close the transport and call `closed`. A connection whose transport was
/// full is asked again, without `poll_ready`, when it can take more; if `to_close` holds before
/// that it may be closed as it is.
class Gateway {
 public:
  struct Limits {
    std::size_t connections_max = 20000;
    std::size_t connections_per_source_max = 4096;  // a source: an IPv4 address, an IPv6 /64
    /// Of those, that belong to nobody whom we know yet.
    std::size_t strangers_max = 4096;
    std::size_t strangers_per_source_max = 1024;
    Duration stranger_time = 30s;  // then a stranger's connection is closed
  };
  struct Options {
    /// What agents reach us by if a client does not say ("host:port"); normally they say.
    std::string authority = "localhost:443";
    /// Size of a Rosenpass public key. Tests have smaller ones.
    std::size_t key_bytes = 524160;
    Limits limits;
  };

  /// Makes the network if the store is new. `store`, `key_files` and `random` must outlive it.
  static Result<std::unique_ptr<Gateway>> create(const Options& options, Store& store,
                                                 KeyFiles& key_files, Random& random, TimePoint now,
                                                 WallTime wall);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Before the calls that take `now`, or at least once a second.
  void set_wall_clock(WallTime wall);

  /// What is known of a connection when it comes.
  struct Transport {
    IpAddress source;
    bool encrypted = true;     // TLS; false: on loopback or behind a proxy
    bool post_quantum = true;  // TLS with X25519MLKEM768
    std::string description;   // for lists: "TLSv1.3 X25519MLKEM768"; made up if empty
  };
  /// A new connection. If there are too many it is `to_close` at once.
  ConnectionId open(TimePoint now, const Transport& transport);
  void receive(TimePoint now, ConnectionId connection, ByteView bytes);
  /// The transport is gone. Nothing if the connection is not known (any more).
  void closed(TimePoint now, ConnectionId connection);

  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;

  /// A connection that may have bytes to send: once until it is drained; and once when it is to be
  /// closed.
  std::optional<ConnectionId> poll_ready();
  /// The next bytes for the transport, some 16 KiB at most; empty: none.
  ByteVector poll_transmit(ConnectionId connection);
  bool to_close(ConnectionId connection) const;
  /// Tells all agents to go, for an orderly end: they come back on their own. Then drain.
  void go_away(TimePoint now);

  /// Administration: one line of JSON, one back ({"ok":true,...} or {"ok":false,"error":...}).
  /// See administration.h. `may_change`: the caller is the administrator, not just anybody who can
  /// open the socket.
  std::string handle_request(TimePoint now, bool may_change, std::string_view request);

  struct State;  // see state.h, of this module alone
  const State& state() const { return *state_; }

 private:
  explicit Gateway(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trellis::server
