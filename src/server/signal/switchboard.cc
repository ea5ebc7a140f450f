#include "server/signal/switchboard.h"

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

Expected<void, Status> Switchboard::may_send(const Session& session,
                                             const crypto::PublicKey& sender) const {
  const PeerRecord* peer = roster_.find(sender);
  if (!peer) return fail(Status{StatusCode::PermissionDenied, "the sender is not a member"});
  const auto member = session.member();
  const auto registered = claimant(session.connection);
  const bool his =
      member ? member == sender : registered && registered->machine == sender && !peer->key_name;
  if (his) return {};
  return fail(Status{StatusCode::PermissionDenied, "this connection is not the sender's"});
}

Expected<std::optional<CallRef>, Status> Switchboard::enter(const Session& session, CallRef call,
                                                            const crypto::PublicKey& machine,
                                                            Standing standing) {
  const PeerRecord* peer = roster_.find(machine);
  if (!peer) return fail(Status{StatusCode::PermissionDenied, "this machine is not a member"});
  const auto member = session.member();
  if (member && member != machine) {
    return fail(Status{StatusCode::PermissionDenied, "this connection is another machine's"});
  }
  std::optional<CallRef> displaced;
  if (const auto it = entries_.find(machine); it != entries_.end()) {
    if (it->second.standing > standing) {
      return fail(Status{StatusCode::AlreadyExists,
                         "this machine is here already, and has shown that it is"});
    }
    displaced = it->second.call;
  }
  if (peer->key_name && standing != Standing::Proven) {
    return fail(Status{StatusCode::Unauthenticated, "this machine proves who it is: log in first"});
  }
  if (displaced) by_call_.erase(*displaced);
  entries_[machine] = {call, standing};
  by_call_[call] = machine;
  return displaced;
}

void Switchboard::leave(CallRef call) {
  const auto it = by_call_.find(call);
  if (it == by_call_.end()) return;
  entries_.erase(it->second);
  by_call_.erase(it);
}

std::optional<CallRef> Switchboard::remove(const crypto::PublicKey& machine) {
  const auto it = entries_.find(machine);
  if (it == entries_.end()) return std::nullopt;
  const CallRef call = it->second.call;
  by_call_.erase(call);
  entries_.erase(it);
  return call;
}

std::optional<Switchboard::Claimant> Switchboard::claimant(ConnectionId connection) const {
  for (auto it = by_call_.lower_bound({connection, grpc::CallId{}});
       it != by_call_.end() && it->first.connection == connection; ++it) {
    const Entry& entry = entries_.at(it->second);
    if (entry.standing != Standing::Proven) return Claimant{it->second, entry.standing};
  }
  return std::nullopt;
}

std::optional<CallRef> Switchboard::route(const crypto::PublicKey& sender,
                                          const crypto::PublicKey& receiver) const {
  const PeerRecord* from = roster_.find(sender);
  const PeerRecord* to = roster_.find(receiver);
  if (!from || !to) return std::nullopt;
  if (sender != receiver && !(Roster::visible(*from) && Roster::visible(*to))) {
    return std::nullopt;
  }
  const auto it = entries_.find(receiver);
  return it == entries_.end() ? std::nullopt : std::optional(it->second.call);
}

}  // namespace trellis::server
