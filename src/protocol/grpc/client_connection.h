#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "protocol/grpc/event.h"
#include "protocol/grpc/limits.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::grpc {

/// The client's end of one gRPC connection. Of the same shape as `ServerConnection`.
///
/// Calls may be started at once: the first bytes go out without waiting for the server.
class ClientConnection {
 public:
  using Options = ClientOptions;

  ClientConnection(TimePoint now, Options options);
  ClientConnection(ClientConnection&&) noexcept;
  ClientConnection& operator=(ClientConnection&&) noexcept;
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;
  ~ClientConnection();

  /// From the transport, in any pieces.
  void receive(TimePoint now, ByteView bytes);
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  std::optional<ClientEvent> poll_event();
  /// The next bytes for the transport, about 16 KiB at most; empty: none.
  ByteVector poll_transmit();

  /// `method`: "/package.Service/Method". The call ends with `DeadlineExceeded` when `deadline` is
  /// over, and with `Unavailable` at once if the connection takes no more calls: always by an
  /// event.
  CallId start(TimePoint now, std::string_view method, const Metadata& metadata = {},
               std::optional<Duration> deadline = std::nullopt);
  /// False: the call is gone or half-closed, or the queue is full. A message is sent whole or not.
  bool send_message(CallId call, ByteView message);
  /// No message follows. For unary calls: after their one message.
  void half_close(CallId call);
  /// No event of this call follows.
  void cancel(TimePoint now, CallId call);
  /// Of a call, or of all: not yet handed to the transport. Grows with a slow reader.
  std::size_t queued_bytes(CallId call) const;
  std::size_t queued_bytes() const;
  std::size_t calls() const;

  /// `Ponged` tells of the answer. At most 8 wait for one; more are not sent.
  void ping(TimePoint now, std::uint64_t opaque);
  /// Starts no more calls; closed when the last one has ended.
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
