#pragma once

#include "base/time.h"

namespace trellis::rosenpass {

/// A budget of work that fills with time: a share of one core, with a burst.
class WorkBudget {
 public:
  /// `share`: of a core, in (0, 1]; `burst`: the most that can be saved up. Starts full.
  WorkBudget(double share, Duration burst) : share_(share), burst_(burst), saved_(burst) {}

  /// Whether so much may be spent now.
  bool affords(TimePoint now, Duration cost);
  /// Takes it; may leave a debt if the caller did not ask before.
  void spend(TimePoint now, Duration cost);
  /// Both, and nothing if it is not afforded.
  bool take(TimePoint now, Duration cost);
  /// Another share and burst from now on; what is saved up stays, within the burst.
  void resize(double share, Duration burst);

 private:
  void fill(TimePoint now);

  double share_;
  Duration burst_;
  Duration saved_;
  TimePoint filled_at_{};
};

// Budgets for InitHello, which anybody can replay or make from a public key. [pair rule 13]
//
// From addresses that are no live path: all of them together get a tenth of a core, and one peer's
// at most a quarter of that, so replays of one peer leave room for the others. A live path has a
// budget of its own, which such replays cannot touch; all live paths together stay below a whole
// core, for their addresses can be forged by who knows them.
constexpr double kStrangersShare = 0.1;
constexpr Duration kStrangersBurst = 50ms;
constexpr double kElsewhereShare = 0.025;  // of one peer
constexpr Duration kElsewhereBurst = 10ms;
constexpr double kPathShare = 0.02;  // of one peer
constexpr Duration kPathBurst = 20ms;
constexpr double kPathsShare = 0.6;
constexpr Duration kPathsBurst = 200ms;

/// What one peer's datagrams may cost us.
struct PeerBudgets {
  WorkBudget path{kPathShare, kPathBurst};
  WorkBudget elsewhere{kElsewhereShare, kElsewhereBurst};
  /// RespHello for a running exchange: its session id must be known, so this is for who listens.
  WorkBudget resp_hello{kPathShare, kPathBurst};
};

struct NodeBudgets {
  WorkBudget strangers{kStrangersShare, kStrangersBurst};
  WorkBudget paths{kPathsShare, kPathsBurst};
};

}  // namespace trellis::rosenpass
