#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "protocol/grpc/event.h"
#include "protocol/grpc/limits.h"

#include <memory>
#include <optional>
#include <string>

namespace trellis::grpc {

/// The server's end of one gRPC connection: HTTP/2 with prior knowledge over any transport.
///
/// Pure: the transport's bytes and time in; bytes, events and a deadline out. Drain `poll_event`,
/// then `poll_transmit`, until both are empty: taking messages opens windows, and sending can end
/// calls. Call `poll_transmit` only when the transport can take more: what it cannot take waits
/// here, within `Limits::queued_bytes_max`. A transport that takes nothing for a minute is given
/// up.
///
/// Nothing that a client sends is our bug: it is answered with a status, or with GOAWAY and the
/// end of the connection, and `close_reason()` tells which.
class ServerConnection {
 public:
  using Limits = ServerLimits;

  ServerConnection(TimePoint now, const Limits& limits);
  ServerConnection(ServerConnection&&) noexcept;
  ServerConnection& operator=(ServerConnection&&) noexcept;
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;
  ~ServerConnection();

  /// From the transport, in any pieces.
  void receive(TimePoint now, ByteView bytes);
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  std::optional<ServerEvent> poll_event();
  /// The next bytes for the transport, about 16 KiB at most; empty: none.
  ByteVector poll_transmit();

  /// The first headers of the answer, at once. Otherwise they go with the first message, or with
  /// the status. Nothing if they were sent or the call is gone.
  void send_headers(CallId call, const Metadata& metadata = {});
  /// False: the call is gone or finished, or the queue is full. A message is sent whole or not.
  bool send_message(CallId call, ByteView message);
  /// The status goes out behind the queued messages. No event of this call follows, not even one
  /// that waits in the queue already. Sends nothing if the call is gone.
  void finish(CallId call, const Status& status, const Metadata& trailers = {});
  /// Of a call, or of all: not yet handed to the transport. Grows with a slow reader.
  std::size_t queued_bytes(CallId call) const;
  std::size_t queued_bytes() const;
  /// Calls that run, those too whose answer still waits to be sent.
  std::size_t calls() const;

  void set_received_bytes_max(std::size_t bytes);
  /// `Ponged` tells of the answer. At most 8 wait for one; more are not sent.
  void ping(TimePoint now, std::uint64_t opaque);
  /// Takes nothing new, finishes what runs, then is closed.
  void go_away(TimePoint now);
  /// The transport is gone, or shall be: every call ends with an event.
  void close(TimePoint now, std::string reason);
  /// To be closed by the owner, after `poll_transmit` is empty.
  bool closed() const;
  const std::string& close_reason() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trellis::grpc
