#pragma once

#include "base/token_bucket.h"
#include "server/management/calls.h"
#include "server/management/roster.h"
#include "server/store/store.h"

#include <cstdint>
#include <map>
#include <optional>

namespace trellis::server {

/// trellis.v1.KeyStore: takes each member's Rosenpass public key once, and serves it to those whose
/// map names it. [pair rule 6]
///
/// The caller is who its connection has proven to be. Only the key that the member named at its
/// login is taken, in pieces from where a broken upload ended, and hashed before anybody hears of
/// it.
class KeyStore {
 public:
  static constexpr std::size_t kFetchesMax = 8;              // of a connection, at once
  static constexpr std::size_t kFetchAheadBytes = 64 << 10;  // of a fetch, waiting to be sent
  // Keys that a member may fetch: twice what agents of ours allow themselves.
  static constexpr double kFetchedKeysBurst = 1024;
  static constexpr double kFetchedKeysPerSecond = 0.2;

  /// All must outlive it. `key_bytes`: what each key has.
  KeyStore(Roster& roster, KeyFiles& files, Calls& calls, std::size_t key_bytes)
      : roster_(roster),
        files_(files),
        calls_(calls),
        key_bytes_(static_cast<std::uint32_t>(key_bytes)) {}

  /// A message of an upload; `half_closed` when no other follows.
  void upload(const Session& session, CallRef call, ByteView message, WallTime wall);
  void half_closed(CallRef call);
  void fetch(TimePoint now, const Session& session, CallRef call, ByteView message);
  void ended(CallRef call);
  /// A machine that is no member any more.
  void forget(const crypto::PublicKey& machine) { rates_.erase(machine); }
  /// The connection has sent what it had to send.
  void drained(ConnectionId connection);

 private:
  struct Upload {
    crypto::PublicKey machine;
    KeyName name{};
    std::uint32_t offset = 0;
  };
  struct Fetch {
    crypto::PublicKey reader;
    KeyName name{};
    std::uint32_t offset = 0;
  };

  Expected<Upload*, grpc::Status> begin(const Session& session, CallRef call, std::string_view name,
                                        std::uint32_t offset);
  Expected<void, grpc::Status> append(Upload& upload, ByteView piece);
  Expected<void, grpc::Status> complete(const Upload& upload, WallTime wall);
  void reply(CallRef call, std::uint32_t offset, bool complete);
  bool named_by_map_of(const crypto::PublicKey& reader, const KeyName& name) const;
  Expected<KeyName, grpc::Status> may_fetch(const Session& session, CallRef call,
                                            std::string_view name, std::uint32_t offset) const;
  double share(std::uint32_t offset) const;
  void end(std::map<CallRef, Fetch>::iterator fetch);
  /// False: the fetch is over.
  bool pump(CallRef call, Fetch& fetch);

  Roster& roster_;
  KeyFiles& files_;
  Calls& calls_;
  std::uint32_t key_bytes_;
  std::map<CallRef, Upload> uploads_;
  std::map<CallRef, Fetch> fetches_;
  std::map<crypto::PublicKey, TokenBucket> rates_;  // of members that fetch
};

}  // namespace trellis::server
