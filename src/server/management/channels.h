#pragma once

#include "protocol/control/envelope.h"
#include "protocol/grpc/status.h"
#include "server/management/roster.h"

#include <optional>
#include <unordered_map>

namespace trellis::server {

/// The boxes between the server and each machine. The common key of a member is computed once;
/// that of a stranger each time, so that strangers fill no memory.
class Channels {
 public:
  /// Both must outlive it.
  Channels(const Roster& roster, Random& random) : roster_(roster), random_(random) {}

  /// What is in the envelope, and who made it. `InvalidArgument` if it is none, or not for us.
  Expected<crypto::PublicKey, grpc::Status> open(ByteView envelope,
                                                 google::protobuf::Message& message);
  /// An envelope for `machine`, which has sent us one.
  ByteVector seal(const crypto::PublicKey& machine, ByteView plain);
  ByteVector seal(const crypto::PublicKey& machine, const google::protobuf::Message& message);

  void forget(const crypto::PublicKey& machine) { members_.erase(machine); }

 private:
  const control::BoxChannel* find(const crypto::PublicKey& machine);

  const Roster& roster_;
  Random& random_;
  std::unordered_map<crypto::PublicKey, control::BoxChannel> members_;
  std::optional<control::BoxChannel> stranger_;  // the last one
};

}  // namespace trellis::server
