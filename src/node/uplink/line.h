#pragma once

#include "node/uplink/back_off.h"
#include "node/uplink/key_fetches.h"
#include "node/uplink/key_upload.h"
#include "node/uplink/login.h"
#include "node/uplink/session.h"
#include "node/uplink/signal_line.h"
#include "node/uplink/sync_stream.h"
#include "node/uplink/unary_call.h"
#include "node/uplink/verdict.h"

namespace trellis::uplink {

/// What an Uplink consists of: the connection and its states, the Login, and the parts that live on
/// a line that is up. The face is Uplink's.
struct Uplink::State {
  State(TimePoint now, Identity identity, Options options, Random& random);

  void set_setup_key(TimePoint now, control::SetupKey key);
  void connected(TimePoint now);
  void receive(TimePoint now, ByteView bytes);
  void disconnected(TimePoint now, const std::string& why);
  ByteVector poll_transmit();
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  void retry_now(TimePoint now);
  void log_out(TimePoint now);
  Status status() const;

  bool up() const { return line_ == LineState::Up; }
  /// Only while the line is up, or about to be: the server has told its key.
  Session session();
  /// Nothing unless the line is up.
  std::optional<Session> standing_session();

  Shared shared_;
  SyncStream sync_;
  SignalLine signal_;
  KeyUpload upload_;
  KeyFetches fetches_;

 private:
  enum class Timer : std::uint8_t {
    Connect,  // Waiting, Refused: the next attempt
    GiveUp,   // Connecting
    Settled,  // Up: then the back-off begins anew
    Probe,    // retry_now on a line that stands, until something comes
    LogOut,   // log_out, until it is answered
    kCount
  };

  void set_line(TimePoint now, LineState state);
  void connect(TimePoint now);
  void take_down(TimePoint now);
  void lose_line(TimePoint now, std::string why);
  void refuse(TimePoint now, Verdict verdict);
  void finish_log_out(TimePoint now, std::optional<std::string> error);
  void run_timers(TimePoint now);

  void drain(TimePoint now);
  void handle(TimePoint now, const grpc::HeadersReceived& event);
  void handle(TimePoint now, grpc::MessageReceived event);
  void handle(TimePoint now, const grpc::CallEnded& event);
  void handle(TimePoint now, const grpc::Ponged& event);
  void handle(TimePoint now, const grpc::GoingAway& event);

  void handle_hello(TimePoint now, const UnaryCall::Answer& answer);
  void log_in(TimePoint now, bool with_setup_key);
  void handle_login(TimePoint now, const UnaryCall::Answer& answer);
  void handle_login_failure(TimePoint now, const grpc::Status& status);
  void welcome(TimePoint now, LoggedIn login, const wire::management::TrellisLoginReply& reply);
  void ask_log_out(TimePoint now);
  void handle_log_out(TimePoint now, const UnaryCall::Answer& answer);

  LineState line_ = LineState::Waiting;
  TimePoint since_;
  std::string error_;
  std::optional<TimePoint> last_heard_;
  bool transport_ = false;  // the owner opens it, or has it open
  std::optional<grpc::ClientConnection> grpc_;
  std::optional<control::BoxChannel> server_;
  Bytes<control::kConnectionNonceBytes> nonce_{};
  UnaryCall hello_;
  UnaryCall login_;
  UnaryCall log_out_;

  std::optional<control::SetupKey> setup_key_;
  bool setup_key_first_;         // with the first Login, without asking whether we are known
  bool setup_key_sent_ = false;  // with the Login that runs
  bool was_member_;
  bool logging_out_ = false;
  std::string last_refusal_;  // told already
  TimerTable<Timer> timers_;
  BackOff back_off_;
};

}  // namespace trellis::uplink
