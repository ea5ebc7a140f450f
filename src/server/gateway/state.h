#pragma once

#include "protocol/grpc/frame_buffer.h"
#include "protocol/grpc/server_connection.h"
#include "server/gateway/gateway.h"
#include "server/management/management.h"
#include "server/signal/signal.h"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

namespace trellis::server {

/// How a call is read.
enum class CallKind : std::uint8_t {
  Request,  // one message, then the answer, or many
  Signal,   // ConnectStream: answered at once, reads on
  Upload,   // messages until the client has sent all
};

/// A connection and the calls on it that are not finished.
struct Connection {
  struct Call {
    CallKind kind = CallKind::Request;
    std::string method;
  };

  Connection(TimePoint now, const grpc::ServerLimits& limits) : grpc(now, limits) {}

  Session session;
  grpc::ServerConnection grpc;
  std::map<grpc::CallId, Call> calls;
  IpAddress place;                          // what limits count
  bool counted = false;                     // by the limits
  std::optional<TimePoint> stranger_until;  // not a stranger any more: nothing
  std::optional<TimePoint> deadline;        // as it stands in `Gateway::State::deadlines_`
  bool touched = false;
  bool ready = false;
  bool ended = false;    // the services know that it is over
  bool removed = false;  // its machine is no member any more
};

/// What of the server is counted, for `status`.
struct GatewayCounters {
  std::uint64_t connections = 0;  // since the start
  std::uint64_t refused = 0;      // of those, by limits
  std::uint64_t calls = 0;
};

/// What a Gateway consists of. The face is Gateway's.
///
/// A step: bytes or time come in to one connection, its events go to the services, the services
/// answer on this and other connections. `settle` then goes through all that were touched until
/// nothing moves.
struct Gateway::State final : Calls {
  State(TimePoint now, Options options, Roster roster, KeyFiles& files, Random& random);

  Session* session(ConnectionId connection) override;
  void send_headers(CallRef call, const grpc::Metadata& metadata) override;
  bool send(CallRef call, ByteView message) override;
  void finish(CallRef call, const grpc::Status& status) override;
  std::size_t queued_bytes(CallRef call) const override;
  void ping(ConnectionId connection, std::uint64_t opaque) override;
  void close(ConnectionId connection, const std::string& why) override;

  ConnectionId open(TimePoint now, const Transport& transport);
  void receive(TimePoint now, ConnectionId connection, ByteView bytes);
  void closed(TimePoint now, ConnectionId connection);
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  ByteVector poll_transmit(ConnectionId connection);
  void go_away(TimePoint now);
  void settle(TimePoint now);

  Connection* find(ConnectionId connection) const;

  const Options options_;
  Random& random_;
  const TimePoint started_;
  Roster roster_;
  Management management_;
  Signal signal_;
  GatewayCounters counters_;
  grpc::FrameBuffer frame_buffer_;  // of all connections
  std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;
  std::deque<ConnectionId> ready_;

 private:
  struct Source {
    std::size_t connections = 0;
    std::size_t strangers = 0;
  };

  bool may_open(const IpAddress& source) const;
  void touch(Connection& connection);
  void drain(TimePoint now, Connection& connection);
  void after_events(TimePoint now, Connection& connection);
  bool stranger(const Connection& connection);
  void admit(Connection& connection);
  void end_stranger(TimePoint now, Connection& connection);
  void dismiss(TimePoint now, const crypto::PublicKey& machine);
  void dismiss(TimePoint now, Connection& connection);
  void finish_all(TimePoint now, Connection& connection, const grpc::Status& status);
  void note_end(TimePoint now, Connection& connection);
  void set_deadline(Connection& connection);
  void forget_source(Connection& connection);
  void end_call(TimePoint now, CallRef call);

  void handle(TimePoint now, Connection& connection, const grpc::CallStarted& event);
  void handle(TimePoint now, Connection& connection, const grpc::MessageReceived& event);
  void handle(TimePoint now, Connection& connection, const grpc::HalfClosed& event);
  void handle(TimePoint now, Connection& connection, const grpc::CallEnded& event);
  void handle(TimePoint now, Connection& connection, const grpc::Ponged& event);
  void handle(TimePoint now, Connection& connection, const grpc::GoingAway& event);

  TimePoint now_;
  std::uint64_t last_connection_ = 0;
  std::map<IpAddress, Source> sources_;
  std::size_t strangers_ = 0;
  std::deque<ConnectionId> touched_;
  std::set<std::pair<TimePoint, ConnectionId>> deadlines_;
  std::optional<ConnectionId> polled_;  // its bytes are being taken
};

}  // namespace trellis::server
