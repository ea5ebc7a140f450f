#pragma once

#include "base/source_budget.h"
#include "protocol/control/envelope.h"
#include "protocol/grpc/status.h"
#include "server/management/calls.h"
#include "server/management/roster.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace trellis::server {

/// The boxes between the server and each machine. The common key of a member is computed once;
/// that of a stranger each time, so that strangers fill no memory.
class Channels {
 public:
  /// Envelopes of one place that are opened before anybody logged in on their connections. A crowd
  /// of machines behind one address may come back at once.
  static constexpr double kPerSecond = 400;
  static constexpr double kBurst = 2048;
  static constexpr std::size_t kPlacesMax = 4096;

  /// Both must outlive it.
  Channels(const Roster& roster, Random& random) : roster_(roster), random_(random) {}

  /// What is in the envelope that came on the connection of `session`, and who made it.
  /// `InvalidArgument` if it is none, or not for us; `ResourceExhausted`, before any work, if too
  /// many strangers' ones came from there.
  Expected<crypto::PublicKey, grpc::Status> open(TimePoint now, const Session& session,
                                                 ByteView envelope,
                                                 google::protobuf::Message& message);
  /// An envelope for `machine`, which has sent us one.
  ByteVector seal(const crypto::PublicKey& machine, ByteView plain);
  ByteVector seal(const crypto::PublicKey& machine, const google::protobuf::Message& message);

  /// The last envelope of this member came from where `source` is.
  bool seen_at(const crypto::PublicKey& machine, const IpAddress& source) const;
  void forget(const crypto::PublicKey& machine) { members_.erase(machine); }
  /// Envelopes beyond the budgets.
  std::uint64_t refused() const { return refused_; }

 private:
  struct Member {
    control::BoxChannel channel;
    std::optional<IpAddress> place;
  };

  const control::BoxChannel* find(const crypto::PublicKey& machine);

  const Roster& roster_;
  Random& random_;
  SourceBudget strangers_{kPerSecond, kBurst, kPlacesMax};
  std::uint64_t refused_ = 0;
  std::unordered_map<crypto::PublicKey, Member> members_;
  std::optional<control::BoxChannel> stranger_;  // the last one
};

}  // namespace trellis::server
