#pragma once

#include "node/uplink/session.h"
#include "protocol/control/signal.pb.h"

#include <map>

namespace trellis::uplink {

/// Messages to peers that wait for the server to take them: in order to each peer, a few calls at a
/// time, and none so long that it is of no more use.
class SignalOutbox {
 public:
  explicit SignalOutbox(Shared& shared) : shared_(shared) {}

  /// `sealed`: an EncryptedMessage. An offer takes the place of one that waits; of too many to one
  /// peer the oldest is dropped.
  void add(TimePoint now, const crypto::PublicKey& to, wire::signal::Body::Type type,
           ByteVector sealed);
  /// Drops what is for peers that the map does not have.
  void map_changed();
  /// What was on its way waits again: the server may not have had it.
  void line_lost();

  bool owns(grpc::CallId call) const { return sends_.contains(call); }
  void handle_end(TimePoint now, grpc::CallId call, const grpc::Status& status);

  /// Drops what has waited too long; sends what is due, if there is a line.
  void pump(TimePoint now, const Session* session);
  std::optional<TimePoint> next_timeout() const;

 private:
  struct Letter {
    wire::signal::Body::Type type;
    ByteVector sealed;
    TimePoint drop_at;
    int tries = 0;
  };
  struct Queue {
    std::deque<Letter> letters;
    bool sending = false;  // the first of them
    TimePoint not_before{};
  };

  void drop_front(Queue& queue);

  Shared& shared_;
  std::map<crypto::PublicKey, Queue> queues_;  // none is empty
  std::map<grpc::CallId, crypto::PublicKey> sends_;
};

}  // namespace trellis::uplink
