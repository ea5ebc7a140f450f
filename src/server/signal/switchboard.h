#pragma once

#include "crypto/keys.h"
#include "protocol/grpc/status.h"
#include "server/management/calls.h"
#include "server/management/roster.h"

#include <cstdint>
#include <map>
#include <optional>

namespace trellis::server {

/// Who can be reached by signal, and by which call. What passes is sealed between the machines; the
/// server sees who talks to whom. [netbird-wire 3]
///
/// Ours prove at their login who they are. Stock agents say it only, on a connection of its own;
/// what they can show is that they are where the last box of that machine came from. A registration
/// never takes the place of a better one. [pair rule 11]
class Switchboard {
 public:
  enum class Standing : std::uint8_t {
    Claimed,  // knows a public key
    Near,     // and is where its owner is
    Proven,
  };

  explicit Switchboard(const Roster& roster) : roster_(roster) {}

  /// Whether a message may be sent in the name of `sender` over this connection: it has proven that
  /// it is his, or he, a stock agent, is registered there.
  Expected<void, grpc::Status> may_send(const Session& session,
                                        const crypto::PublicKey& sender) const;

  /// From now on messages to `machine` go to `call`. Gives the call that has lost them, if any: to
  /// be ended as "peer registered again".
  Expected<std::optional<CallRef>, grpc::Status> enter(const Session& session, CallRef call,
                                                       const crypto::PublicKey& machine,
                                                       Standing standing);
  /// The call is over.
  void leave(CallRef call);
  /// The machine was removed: its call, to be ended.
  std::optional<CallRef> remove(const crypto::PublicKey& machine);

  /// Where a message goes; nothing if the receiver is not there, or the two may not talk: then it
  /// is dropped without a word. [netbird-wire 3.3, pair rule 11]
  std::optional<CallRef> route(const crypto::PublicKey& sender,
                               const crypto::PublicKey& receiver) const;

  /// The stock agent that is registered over this connection, if any.
  struct Claimant {
    crypto::PublicKey machine;
    Standing standing;
  };
  std::optional<Claimant> claimant(ConnectionId connection) const;
  /// It turned out that it is where it should be.
  void set_near(const crypto::PublicKey& machine) {
    entries_.at(machine).standing = Standing::Near;
  }

  bool present(const crypto::PublicKey& machine) const { return entries_.contains(machine); }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    CallRef call;
    Standing standing;
  };

  const Roster& roster_;
  std::map<crypto::PublicKey, Entry> entries_;
  std::map<CallRef, crypto::PublicKey> by_call_;
};

}  // namespace trellis::server
