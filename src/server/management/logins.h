#pragma once

#include "protocol/control/management.pb.h"
#include "server/management/calls.h"
#include "server/management/channels.h"
#include "server/management/login.h"
#include "server/management/sync_streams.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trellis::server {

/// Login calls, and on which connection each agent of ours lives.
///
/// One agent has one connection. If the same start of an agent logs in again, the old connection is
/// dead and just does not know it yet. If another start of it does, the agent was restarted, or its
/// state was copied to a second machine; then the old connection is asked whether it lives:
///
///                        another instance
///   (the old one holds) ------------------> Duel --- the old one answers the ping: new one refused
///                                            |------ it is closed: new one logged in
///                                            `------ silent for 1.5 s: closed, new one logged in
class Logins {
 public:
  static constexpr Duration kDuelTime = 1500ms;
  static constexpr std::size_t kWaitingMax = 32;  // for the place of one connection

  /// All must outlive it.
  Logins(const Roster& roster, Login& login, Channels& channels, Calls& calls)
      : roster_(roster), login_(login), channels_(channels), calls_(calls) {}

  void handle(TimePoint now, WallTime wall, Session& session, CallRef call, ByteView envelope);
  void handle_pong(TimePoint now, WallTime wall, ConnectionId connection, std::uint64_t opaque);
  /// The client has given the call up.
  void ended(CallRef call);
  void connection_closed(TimePoint now, WallTime wall, ConnectionId connection);
  void handle_timeout(TimePoint now, WallTime wall);
  std::optional<TimePoint> next_timeout() const;

  /// Is `connection` where this machine lives now?
  bool holds(const crypto::PublicKey& machine, ConnectionId connection) const;
  /// Where it lives, if it is one of ours and logged in.
  std::optional<ConnectionId> holder(const crypto::PublicKey& machine) const;
  void forget(const crypto::PublicKey& machine);

  /// Somebody else tried to log in with the keys of a machine that was here.
  struct Conflict {
    std::string source;  // of the one that was refused
    WallTime at;
  };
  const Conflict* conflict(const crypto::PublicKey& machine) const;

 private:
  struct Holder {
    ConnectionId connection{};
    Instance instance{};
  };
  struct Duel {
    crypto::PublicKey machine;
    wire::management::LoginRequest request;
    OwnAgent agent;
    ConnectionId old{};
    TimePoint deadline;
  };

  void proceed(TimePoint now, WallTime wall, CallRef call, const crypto::PublicKey& machine,
               wire::management::LoginRequest& request, const std::optional<OwnAgent>& agent);
  void answer(TimePoint now, WallTime wall, CallRef call, const crypto::PublicKey& machine,
              const wire::management::LoginRequest& request, const std::optional<OwnAgent>& agent);
  std::vector<CallRef> waiting_for(ConnectionId old) const;
  void refuse_copy(WallTime wall, CallRef call, const Duel& duel);
  void resume(TimePoint now, WallTime wall, CallRef call);

  const Roster& roster_;
  Login& login_;
  Channels& channels_;
  Calls& calls_;
  std::map<crypto::PublicKey, Holder> holders_;
  std::map<CallRef, Duel> duels_;
  std::uint64_t pings_ = 0;
  std::map<crypto::PublicKey, Conflict> conflicts_;  // of members
};

/// Where the servers are, as the client of this session is to know. Signal is here, behind the name
/// by which the client came. [netbird-wire 2.6]
wire::management::NetbirdConfig infrastructure_for(const Session& session);

/// Takes `machine` as who is at the other end, or says why not: a connection belongs to one.
Expected<void, grpc::Status> prove(Session& session, const crypto::PublicKey& machine);

}  // namespace trellis::server
