#pragma once

#include "node/uplink/back_off.h"
#include "node/uplink/session.h"
#include "protocol/control/management.pb.h"

namespace trellis::uplink {

/// The map: asks for it, applies what comes, and asks again when the stream ends. What is in force
/// stays in force until something better comes.
class SyncStream {
 public:
  explicit SyncStream(Shared& shared);

  /// The server knows us. Nothing if it runs, or waits for its turn.
  void start(TimePoint now, const Session& session);
  void line_lost();

  bool owns(grpc::CallId call) const { return call_ == call; }
  /// True: another map is in force.
  bool handle_message(TimePoint now, const Session& session, ByteView message);
  enum class Next : std::uint8_t {
    Again,       // by itself, soon
    LogInAgain,  // the server may not know us any more
  };
  Next handle_end(TimePoint now, const grpc::Status& status);

  void handle_timeout(TimePoint now, const Session& session);
  std::optional<TimePoint> next_timeout() const;

  /// The server has confirmed the map in force on this stream.
  bool synced() const { return synced_; }
  /// Why the newest map is not in force; empty if it is.
  const std::string& error() const { return error_; }

 private:
  enum class Timer : std::uint8_t {
    Retry,     // after the end of a stream, until the next one
    FirstMap,  // from the start of a stream to its first map
    kCount
  };

  void open(TimePoint now, const Session& session);
  void open_later(TimePoint now);
  bool take_map(const Session& session, const wire::management::NetworkMap& map,
                const wire::management::PeerConfig* config);
  bool take_update(TimePoint now, const Session& session,
                   const wire::management::TrellisUpdate& update);
  bool adopt(netmap::Map map, const crypto::PublicKey& server);
  bool plausible(std::uint64_t serial, const crypto::PublicKey& server) const;
  void refuse(std::string why);

  Shared& shared_;
  std::optional<grpc::CallId> call_;
  TimePoint opened_;
  TimerTable<Timer> timers_;
  BackOff back_off_;
  bool whole_map_ = false;  // one of this stream is in force: updates have something to stand on
  bool deltas_ = true;      // the next stream asks for them
  bool synced_ = false;
  std::string error_;
};

}  // namespace trellis::uplink
