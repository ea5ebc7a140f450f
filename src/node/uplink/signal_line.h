#pragma once

#include "node/uplink/back_off.h"
#include "node/uplink/session.h"
#include "node/uplink/signal_outbox.h"
#include "protocol/control/envelope.h"

#include <unordered_map>

namespace trellis::uplink {

/// Messages from and to other agents: the stream on which they come, watched by a heartbeat to
/// ourselves, and the queue of those that go out. [netbird-wire 3]
///
///          open            headers with "registered"
///   Down --------> Registering --------------------> Up
///     ^                |                              | silent for 30 s: heartbeat
///     `--- back-off ---+------------------------------' not back within 10 s
class SignalLine {
 public:
  explicit SignalLine(Shared& shared);

  /// The server knows us. Nothing if it runs, or waits for its turn.
  void start(TimePoint now, const Session& session);
  void line_lost(TimePoint now);
  void map_changed();

  bool owns(grpc::CallId call) const {
    return call_ == call || beat_ == call || outbox_.owns(call);
  }
  void handle_headers(TimePoint now, const Session& session, grpc::CallId call,
                      const grpc::Metadata& metadata);
  void handle_message(TimePoint now, grpc::CallId call, ByteView message);
  void handle_end(TimePoint now, const Session& session, grpc::CallId call,
                  const grpc::Status& status);

  void send(TimePoint now, const Session* session, const crypto::PublicKey& to,
            const wire::signal::Body& body);
  void handle_timeout(TimePoint now, const Session* session);
  std::optional<TimePoint> next_timeout() const;

  SignalState state() const { return state_; }
  TimePoint since() const { return since_; }
  const std::string& error() const { return error_; }

 private:
  enum class Timer : std::uint8_t {
    Retry,      // after the end of a stream, until the next one
    Headers,    // from the start of a stream to its headers
    Silence,    // from the last message, or the headers
    Heartbeat,  // from our heartbeat until something comes
    kCount
  };

  void open(TimePoint now, const Session& session);
  void break_off(TimePoint now, const Session& session, std::string why);
  void open_later(TimePoint now, std::string why);
  void beat(TimePoint now, const Session& session);
  void set_state(TimePoint now, SignalState state);
  void heard(TimePoint now);
  const control::BoxChannel* channel_to(const crypto::PublicKey& peer);
  bool hand_on(const control::SignalEnvelope& envelope);

  Shared& shared_;
  SignalState state_ = SignalState::Down;
  TimePoint since_{};
  std::string error_;
  std::optional<grpc::CallId> call_;
  std::optional<grpc::CallId> beat_;
  TimerTable<Timer> timers_;
  BackOff back_off_;
  SignalOutbox outbox_;
  std::unordered_map<crypto::PublicKey, control::BoxChannel> channels_;
};

}  // namespace trellis::uplink
