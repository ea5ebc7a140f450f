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
/// Stock agents do not prove who they are; ours do, at their login. A registration without a proof
/// never takes the place of one with it. [pair rule 11]
class Switchboard {
 public:
  explicit Switchboard(const Roster& roster) : roster_(roster) {}

  /// Whether a message may be sent in the name of `sender` over this connection: it has proven that
  /// it is his, or it is registered for him, a stock agent.
  Expected<void, grpc::Status> may_send(const Session& session,
                                        const crypto::PublicKey& sender) const;

  /// From now on messages to `machine` go to `call`. Gives the call that has lost them, if any: to
  /// be ended as "peer registered again".
  Expected<std::optional<CallRef>, grpc::Status> enter(
      CallRef call, const crypto::PublicKey& machine,
      const std::optional<crypto::PublicKey>& proven);
  /// The call is over.
  void leave(CallRef call);
  /// The machine was removed: its call, to be ended.
  std::optional<CallRef> remove(const crypto::PublicKey& machine);

  /// Where a message goes; nothing if the receiver is not there, or the two may not talk: then it
  /// is dropped without a word. [netbird-wire 3.3, pair rule 11]
  std::optional<CallRef> route(const crypto::PublicKey& sender,
                               const crypto::PublicKey& receiver) const;

  bool present(const crypto::PublicKey& machine) const { return entries_.contains(machine); }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    CallRef call;
    bool proven;
  };

  const Roster& roster_;
  std::map<crypto::PublicKey, Entry> entries_;
  std::map<CallRef, crypto::PublicKey> by_call_;
};

}  // namespace trellis::server
