#pragma once

#include "base/token_bucket.h"
#include "server/management/channels.h"
#include "server/signal/switchboard.h"

#include <cstddef>
#include <cstdint>
#include <map>

namespace trellis::server {

/// Forwards sealed messages between members. It keeps none: what cannot be delivered at once is
/// dropped, and agents try again. [netbird-wire 3]
class Signal {
 public:
  /// Of messages that wait for one slow receiver; what comes on top is dropped. Some four offers of
  /// stock agents, which have a key of half a megabyte in each.
  static constexpr std::size_t kQueuedBytesMax = 2 << 20;

  /// Of a member. An agent tells each of its peers where it is, a few hundred at most, and again
  /// when its network changes; stock ones tell all.
  static constexpr double kPerSecond = 100;
  static constexpr double kBurst = 4000;

  struct Counters {
    std::uint64_t forwarded = 0;
    std::uint64_t dropped = 0;   // receiver absent, slow, or none of the sender's business
    std::uint64_t too_many = 0;  // dropped, too: beyond the sender's rate
  };

  /// All must outlive it.
  Signal(const Roster& roster, const Channels& channels, Calls& calls)
      : channels_(channels), calls_(calls), switchboard_(roster) {}

  /// ConnectStream began: headers are sent at once, or it is refused.
  void connect(const Session& session, CallRef call, const grpc::Metadata& metadata);
  /// Send: the answer is empty, whatever became of the message.
  void send(TimePoint now, const Session& session, CallRef call, ByteView message);
  /// A message on ConnectStream, where agents normally send none.
  void forward_from_stream(TimePoint now, const Session& session, CallRef call, ByteView message);
  void handle_end(CallRef call) { switchboard_.leave(call); }
  /// The stock agent that is registered over this connection, if any; and whether it is where the
  /// boxes of that machine come from.
  std::optional<Switchboard::Claimant> claimant(const Session& session);
  /// No member any more.
  void remove(const crypto::PublicKey& machine);

  const Counters& counters() const { return counters_; }
  std::size_t registered() const { return switchboard_.size(); }

 private:
  Expected<void, grpc::Status> forward(TimePoint now, const Session& session, ByteView message);

  const Channels& channels_;
  Calls& calls_;
  Switchboard switchboard_;
  Counters counters_;
  std::map<crypto::PublicKey, TokenBucket> rates_;  // of members that send
};

}  // namespace trellis::server
