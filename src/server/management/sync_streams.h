#pragma once

#include "server/management/calls.h"
#include "server/management/channels.h"
#include "server/management/map_writer.h"

#include <map>
#include <optional>
#include <string>

namespace trellis::server {

/// The streams on which members hear of changes of the map: first a whole map, then what changes,
/// to agents that understand that, or whole maps again.
///
/// The first change after a quiet time is told at once, further ones are gathered for a while. An
/// agent that reads slowly is told when it has read what it was told before: at most one message
/// waits for it.
class SyncStreams {
 public:
  /// All must outlive it.
  SyncStreams(const Roster& roster, MapWriter& writer, Channels& channels, Calls& calls)
      : roster_(roster),
        writer_(writer),
        channels_(channels),
        calls_(calls),
        told_(roster.serial()) {}

  struct Reader {
    bool ours = false;           // is told of Rosenpass keys
    bool deltas = false;         // understands TrellisUpdate
    std::string infrastructure;  // an encoded NetbirdConfig, for the first message
  };
  /// Ends the stream that the machine had before, if any.
  void open(CallRef call, const PeerRecord& machine, const Reader& reader);
  /// The stream is over. Whose it was; nothing if it was none, or another has taken its place.
  std::optional<crypto::PublicKey> close(CallRef call);
  /// `gone` was removed from the roster: it is told that nobody is left, and its stream ends.
  void dismiss(const PeerRecord& gone);

  bool connected(const crypto::PublicKey& machine) const { return streams_.contains(machine); }
  std::optional<CallRef> call_of(const crypto::PublicKey& machine) const;
  std::size_t size() const { return streams_.size(); }

  /// Tells of changes that are due.
  void handle_timeout(TimePoint now);
  /// Nothing due later: then `handle_timeout` after each change is soon enough.
  std::optional<TimePoint> next_timeout() const { return due_; }
  /// Nothing waits for this connection any more.
  void drained(ConnectionId connection);

 private:
  struct Stream {
    CallRef call;
    bool ours = false;
    bool deltas = false;
    std::uint64_t serial = 0;  // of the last map or change that was sent
    std::string name;          // that the machine was told to have
  };

  void tell_all();
  void tell(const crypto::PublicKey& machine, Stream& stream);
  Duration gathering_time() const;

  const Roster& roster_;
  MapWriter& writer_;
  Channels& channels_;
  Calls& calls_;
  std::map<crypto::PublicKey, Stream> streams_;
  std::map<CallRef, crypto::PublicKey> by_call_;
  std::uint64_t told_;             // all that could be told were told of this map
  std::optional<TimePoint> last_;  // when
  std::optional<TimePoint> due_;   // the next time
};

}  // namespace trellis::server
