#pragma once

#include "protocol/grpc/status.h"
#include "server/management/claims.h"
#include "server/management/map_writer.h"
#include "server/management/roster.h"

#include <cstddef>
#include <optional>
#include <string>

namespace trellis::wire::management {
class LoginRequest;
class LoginResponse;
class PeerSystemMeta;
}  // namespace trellis::wire::management

namespace trellis::server {

/// Which start of an agent of ours it is.
using Instance = Bytes<16>;

/// As `PeerRecord::asked_key`: the machine came without a Rosenpass key.
inline constexpr KeyName kNoKey{};

/// What an agent of ours says of itself in Login and Sync.
struct OwnAgent {
  Instance instance{};
  std::optional<KeyName> key_name;
};

/// Where a request comes from.
struct Origin {
  ByteView connection_nonce;
  std::string source;  // for the log
  TimePoint now;
  WallTime wall;
};

/// Lets machines in, and members log in. The roster is its memory.
class Login {
 public:
  /// All must outlive it. `key_bytes`: the size of a Rosenpass public key.
  Login(Roster& roster, Claims& claims, MapWriter& writer, KeyFiles& files, std::uint32_t key_bytes)
      : roster_(roster), claims_(claims), writer_(writer), files_(files), key_bytes_(key_bytes) {}

  /// Nothing if the request is a stock agent's. Fails if the proof is not of this connection, or a
  /// field has not its size.
  static Expected<std::optional<OwnAgent>, grpc::Status> own_agent(
      const wire::management::LoginRequest& request, const Origin& origin);

  /// `sender`: whose box the request was in. Idempotent: a member that comes with a setup key again
  /// uses nothing up.
  Expected<wire::management::LoginResponse, grpc::Status> handle(
      const crypto::PublicKey& sender, const wire::management::LoginRequest& request,
      const std::optional<OwnAgent>& ours, const Origin& origin);

  /// What a member says of itself now, kept for listings. Its name is from its registration.
  Result<> take_meta(TimePoint now, WallTime wall, const crypto::PublicKey& sender,
                     const wire::management::PeerSystemMeta& meta);

 private:
  Expected<void, grpc::Status> admit(const crypto::PublicKey& sender,
                                     const wire::management::LoginRequest& request,
                                     const std::optional<OwnAgent>& ours, const Origin& origin);
  Expected<void, grpc::Status> check_key(const PeerRecord& peer,
                                         const std::optional<OwnAgent>& ours, const Origin& origin);
  Expected<void, grpc::Status> check_free(const KeyName& name) const;
  Expected<void, grpc::Status> store(const PeerRecord& peer, WallTime now);
  void log_refusal(KeyRefusal refusal, const Origin& origin);

  Roster& roster_;
  Claims& claims_;
  MapWriter& writer_;
  KeyFiles& files_;
  std::uint32_t key_bytes_;
  WallTime logged_{};
  int logged_now_ = 0;
};

/// To who is not a member and does not ask to be one, in the words of stock servers.
grpc::Status not_a_member();
/// Of an error of the store.
grpc::Status cannot_store(const Error& error);

}  // namespace trellis::server
