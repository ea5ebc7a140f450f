#pragma once

#include "server/management/claims.h"
#include "server/management/key_store.h"
#include "server/management/logins.h"
#include "server/management/sync_streams.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::server {

/// What a setup key is to be.
struct SetupKeyOrder {
  std::string name;
  bool reusable = false;
  std::uint32_t usage_limit = 0;  // of a reusable one; 0: none
  std::optional<std::chrono::seconds> lifetime;
  bool ephemeral = false;
};

/// The rules of the network: who is a member, and what each is told. NetBird's management service,
/// trellis.v1's key store, and what administrators do. [netbird-wire 2]
class Management {
 public:
  /// A machine of an ephemeral setup key that is away for so long is removed.
  static constexpr Duration kEphemeralAway = 10min;

  /// All must outlive it. `roster` is open; `key_bytes`: the size of a Rosenpass public key.
  Management(TimePoint now, Roster& roster, KeyFiles& files, Calls& calls, Random& random,
             std::size_t key_bytes);
  Management(const Management&) = delete;
  Management& operator=(const Management&) = delete;
  ~Management() = default;

  void set_wall_clock(WallTime wall) { wall_ = wall; }

  // Calls.
  /// The one request of a call, by the path of its method. False: there is no such method.
  bool handle_request(TimePoint now, Session& session, CallRef call, std::string_view method,
                      ByteView message);
  /// Each message of an upload, and their end.
  void handle_upload(const Session& session, CallRef call, ByteView message);
  void upload_half_closed(CallRef call) { keys_.half_closed(call); }
  /// The client gave the call up, or is gone.
  void handle_end(TimePoint now, CallRef call);
  void handle_pong(TimePoint now, ConnectionId connection, std::uint64_t opaque);
  /// After the ends of all its calls.
  void connection_closed(TimePoint now, ConnectionId connection);
  /// The connection can take more.
  void drained(ConnectionId connection);

  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;

  /// A machine that is no member any more.
  std::optional<crypto::PublicKey> poll_removed();

  // Administration. The errors are for people.
  Result<> remove_peer(TimePoint now, std::string_view peer);
  Result<> rename_peer(std::string_view peer, const std::string& name);
  /// Accepts the Rosenpass key with which the machine came and was refused.
  Result<> trust_peer(std::string_view peer);
  struct NewSetupKey {
    std::string id;
    control::SetupKey key;
  };
  Result<NewSetupKey> create_setup_key(const SetupKeyOrder& order);
  Result<> revoke_setup_key(const std::string& id);

  const Roster& roster() const { return roster_; }
  const Channels& channels() const { return channels_; }
  WallTime wall() const { return wall_; }
  /// Has a stream on which it is told of changes.
  bool connected(const crypto::PublicKey& machine) const { return streams_.connected(machine); }
  std::optional<CallRef> stream_of(const crypto::PublicKey& machine) const {
    return streams_.call_of(machine);
  }
  std::size_t streams() const { return streams_.size(); }
  const Logins::Conflict* conflict(const crypto::PublicKey& machine) const {
    return logins_.conflict(machine);
  }

 private:
  void answer(CallRef call, const google::protobuf::Message& message);
  void get_server_key(const Session& session, CallRef call);
  void log_in(TimePoint now, Session& session, CallRef call, ByteView message);
  void sync(TimePoint now, Session& session, CallRef call, ByteView message);
  Expected<void, grpc::Status> may_sync(Session& session, const crypto::PublicKey& machine,
                                        const wire::management::SyncRequest& request) const;
  void sync_meta(TimePoint now, const Session& session, CallRef call, ByteView message);
  void log_out(TimePoint now, const Session& session, CallRef call, ByteView message);
  /// By value: the caller may have the key from the record that goes.
  Result<> remove(TimePoint now, crypto::PublicKey machine);
  Result<const PeerRecord*> peer_named(std::string_view text) const;
  void note_away(TimePoint now, const crypto::PublicKey& machine);
  void remove_away(TimePoint now);
  void collect_keys();

  Roster& roster_;
  KeyFiles& files_;
  Calls& calls_;
  Random& random_;
  WallTime wall_;
  Claims claims_;
  MapWriter writer_;
  Channels channels_;
  Login login_;
  Logins logins_;
  SyncStreams streams_;
  KeyStore keys_;
  std::map<crypto::PublicKey, TimePoint> away_;  // ephemeral machines, since when
  std::deque<crypto::PublicKey> removed_;
};

}  // namespace trellis::server
