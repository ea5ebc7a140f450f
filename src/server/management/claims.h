#pragma once

#include "base/token_bucket.h"
#include "server/management/roster.h"

#include <map>
#include <optional>
#include <string>

namespace trellis::server {

/// What a member says of itself. What is empty it did not say.
struct Claim {
  std::optional<KeyName> asked_key;  // another Rosenpass key than that of its record; see there
  std::string host_name;
  std::string version;
  std::string system;
};

/// Claims on their way to the roster. A change costs a write to the disk and a message to
/// everybody, so a member has few of them: what comes faster waits here, and only its last word.
class Claims {
 public:
  static constexpr double kPerSecond = 1.0 / 60;  // of a member
  static constexpr double kBurst = 4;

  /// `roster` must outlive it.
  explicit Claims(Roster& roster) : roster_(roster) {}

  /// `machine` is a member. Fails if the store does; the claim is lost then.
  Result<> take(TimePoint now, WallTime wall, const crypto::PublicKey& machine, const Claim& claim);
  /// No member any more.
  void forget(const crypto::PublicKey& machine) { members_.erase(machine); }

  void handle_timeout(TimePoint now, WallTime wall);
  std::optional<TimePoint> next_timeout() const { return due_; }

 private:
  struct Member {
    TokenBucket changes{kPerSecond, kBurst};
    std::optional<Claim> waiting;
  };

  Roster& roster_;
  std::map<crypto::PublicKey, Member> members_;
  std::optional<TimePoint> due_;  // of the first that waits
};

}  // namespace trellis::server
