#pragma once

#include "base/address.h"
#include "crypto/keys.h"
#include "protocol/control/method_names.h"
#include "protocol/grpc/event.h"
#include "protocol/grpc/status.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace trellis::server {

/// A connection of an agent. Never used again.
enum class ConnectionId : std::uint64_t {};

/// A call on it.
struct CallRef {
  ConnectionId connection{};
  grpc::CallId call{};
  friend auto operator<=>(const CallRef&, const CallRef&) = default;
};

/// What the server knows of the other end of a connection.
struct Session {
  ConnectionId connection{};
  IpAddress source;
  bool encrypted = true;
  bool post_quantum = true;
  std::string transport;  // for lists
  /// Told by GetServerKey. A box that holds it was made for this connection, by who has its key.
  Bytes<control::kConnectionNonceBytes> nonce{};
  std::string authority;  // by which the client reached us: "host:port"
  /// Who made such a box.
  std::optional<crypto::PublicKey> proven;
  /// Whose login was granted after that: to have the key alone is not enough.
  std::optional<crypto::PublicKey> granted;
  /// Who logged in here: `granted`, or a stock agent.
  std::optional<crypto::PublicKey> user;

  /// The member at the other end, if it has logged in and proven who it is. Only ours do.
  std::optional<crypto::PublicKey> member() const { return user ? granted : std::nullopt; }
};

/// To a machine that is no member any more, on what it has still open.
inline grpc::Status removed() {
  return {grpc::StatusCode::PermissionDenied, "this machine was removed from the network"};
}

/// How the services answer. The gateway has the connections.
class Calls {
 public:
  virtual ~Calls() = default;
  /// Nothing if the connection is gone.
  virtual Session* session(ConnectionId connection) = 0;
  virtual void send_headers(CallRef call, const grpc::Metadata& metadata) = 0;
  /// False: the call is gone, or its queue is full.
  virtual bool send(CallRef call, ByteView message) = 0;
  /// No event of the call follows.
  virtual void finish(CallRef call, const grpc::Status& status) = 0;
  /// Not yet handed to the transport.
  virtual std::size_t queued_bytes(CallRef call) const = 0;
  /// The answer comes as an event, or not.
  virtual void ping(ConnectionId connection, std::uint64_t opaque) = 0;
  virtual void close(ConnectionId connection, const std::string& why) = 0;
};

}  // namespace trellis::server
