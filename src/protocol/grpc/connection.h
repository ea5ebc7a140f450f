#pragma once

#include "base/bytes.h"
#include "base/time.h"
#include "protocol/grpc/budget.h"
#include "protocol/grpc/call.h"
#include "protocol/grpc/event.h"
#include "protocol/grpc/frame_buffer.h"
#include "protocol/grpc/headers.h"
#include "protocol/grpc/pings.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

struct nghttp2_session;

namespace trellis::grpc {

enum class Role : std::uint8_t { Client, Server };

/// What both ends of a connection are made from: `ServerLimits` and `ClientOptions`.
struct ConnectionLimits {
  std::uint32_t calls_max = 0;  // that the peer may begin
  std::size_t message_bytes_max = 0;
  std::size_t header_bytes_max = 0;
  std::size_t queued_bytes_max = 0;
  std::size_t received_bytes_max = 0;
  std::uint32_t resets_max = 0;
  Duration ping_interval_min{};
  std::uint32_t ping_strikes_max = 0;
  Duration first_request{};  // 0: for ever
  Duration keepalive_interval{};
  Duration keepalive_timeout{};
  FrameBuffer* frame_buffer = nullptr;
};

/// One end of a gRPC connection: what `ServerConnection` and `ClientConnection` have in common.
/// Wraps nghttp2, which frames and keeps the states of streams; here are calls, messages, bounds.
class Connection {
 public:
  using Event = std::variant<CallStarted, HeadersReceived, MessageReceived, HalfClosed, CallEnded,
                             Ponged, GoingAway>;

  Connection(Role role, TimePoint now, const ConnectionLimits& limits);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void receive(TimePoint now, ByteView bytes);
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  std::optional<Event> poll_event();
  ByteVector poll_transmit();

  // Both roles.
  bool send_message(CallId id, ByteView message);
  std::size_t queued_bytes(CallId id) const;
  std::size_t queued_bytes() const { return queued_bytes_; }
  std::size_t calls() const { return calls_.size(); }
  void set_received_bytes_max(std::size_t bytes);
  void ping(TimePoint now, std::uint64_t opaque);
  void go_away(TimePoint now);
  void close(TimePoint now, std::string reason);
  bool closed() const { return closed_; }
  const std::string& close_reason() const { return close_reason_; }

  // Server.
  void send_headers(CallId id, const Metadata& metadata);
  void finish(CallId id, const Status& status, const Metadata& trailers);

  // Client.
  CallId start(TimePoint now, RequestLine line, const Metadata& metadata);
  void half_close(CallId id);
  void cancel(TimePoint now, CallId id);

 private:
  friend struct Http2Callbacks;  // what nghttp2 calls: connection_http2.cc
  struct SessionDeleter {
    void operator()(nghttp2_session* session) const;
  };
  // Stalled: armed when there is something to send, disarmed when the transport takes some of it.
  enum class Timer : std::uint8_t {
    FirstRequest,
    Keepalive,
    KeepaliveTimeout,
    GoAway,
    Stalled,
    kCount
  };

  // connection.cc: the connection as a whole
  void handle_timer(Timer timer);
  void send_keepalive();
  void send_last_go_away();
  void note_heard();
  void note_pending_output();
  void note_if_over();
  void finish_closing(std::string reason);
  bool send_ping(PingPurpose purpose, std::uint64_t opaque);
  /// Sends GOAWAY, ends all calls, and is closed.
  void fail(std::uint32_t http2_error, std::string reason);

  // connection_http2.cc: what nghttp2 is told and asked
  void make_session();
  void set_window(std::size_t bytes);  // of the whole connection
  void submit_headers(CallId id, const Headers& headers, bool data_follows);
  std::optional<std::uint32_t> submit_request(const Headers& headers);
  void submit_trailers(std::uint32_t stream, const Headers& trailers);
  void submit_ping(std::uint64_t opaque);
  void submit_go_away_notice();
  void submit_go_away(std::uint32_t http2_error, std::string_view reason);
  void resume(CallId id);
  void reset(CallId id, Call& call, std::uint32_t http2_error);
  bool still_sends(CallId id) const;
  void consume(std::uint32_t stream, std::size_t bytes);
  void read_frames(ByteView bytes);
  ByteVector write_frames(std::size_t bytes_wanted);
  bool session_over() const;
  bool has_output() const;

  // connection_receive.cc: what the peer's frames do
  void on_headers_begin(std::uint32_t stream);
  bool on_header(std::uint32_t stream, std::string_view name, std::string_view value);
  void on_headers_end(std::uint32_t stream, bool last);
  void on_request(CallId id, Call& call, bool last);
  void on_answer_headers(CallId id, Call& call, bool last);
  void on_data(std::uint32_t stream, ByteView data);
  void read_messages(CallId id, Call& call, ByteView data);
  void take_back(std::uint32_t stream, Call& call, std::size_t bytes);
  void pay_windows();
  void note_read(const MessageReceived& message);
  void on_peer_done(std::uint32_t stream, Call& call);
  void on_stream_closed(std::uint32_t stream, std::uint32_t http2_error);
  void on_ping();
  void on_ping_answer(std::uint64_t opaque);
  void on_going_away(std::uint32_t last_stream, std::uint32_t error, std::string reason);
  void on_idle_frame();
  void on_call_broken_off();

  // connection_calls.cc: what the owner does, and how calls end
  Call* find(std::uint32_t stream);
  Call* find_open(CallId id);
  void send_status(CallId id, Call& call, const Status& status, const Metadata& trailers);
  /// The last event of the call; nothing if the owner is done with it.
  void end_call(CallId id, Call& call, Status status, Metadata trailers = {});
  void break_off(CallId id, Call& call, Status status);
  void expire(CallId id, Call& call);
  void end_all_calls(const Status& status);
  void leave(Call& call);
  void drop_queue(Call& call);
  void forget_events(CallId id);

  const Role role_;
  ConnectionLimits limits_;
  FrameBufferLoan loan_;  // outlives the session
  std::unique_ptr<nghttp2_session, SessionDeleter> session_;
  TimePoint now_;  // of the call that runs

  std::map<std::uint32_t, Call> calls_;  // by stream
  std::deque<Event> events_;
  std::uint32_t next_dead_call_ = 0x8000'0000;  // numbers that no stream has

  std::size_t queued_bytes_ = 0;     // all send queues
  std::size_t announced_bytes_ = 0;  // incomplete messages
  std::size_t unread_bytes_ = 0;     // complete messages in events_
  bool windows_owed_ = false;        // some call owes its window

  TimerTable<Timer> timers_;
  PingGuard ping_guard_;
  SentPings pings_;
  Budget resets_;
  Budget idle_frames_;
  bool going_away_ = false;  // we take, or start, no new calls
  bool peer_going_away_ = false;
  bool last_go_away_sent_ = false;
  bool closed_ = false;
  std::string close_reason_;
  std::string peer_reason_;  // the peer's words in its GOAWAY
  std::string last_error_;   // nghttp2's words about what the peer did wrong
};

}  // namespace trellis::grpc
