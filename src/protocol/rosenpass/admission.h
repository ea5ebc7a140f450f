#pragma once

#include "base/time.h"

#include <cstddef>
#include <vector>

namespace trellis::rosenpass {

/// A budget of work that fills with time: a share of one core, with a burst.
class WorkBudget {
 public:
  /// `share`: of a core, more than 0; `burst`: the most that can be saved up. Starts full.
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
// at most a quarter of that, so replays of one peer leave room for the others. A part of it is kept
// for addresses that brought a cookie, and so were not forged; of that, no address (and those that
// share its place) gets more than a fraction. A live path has a
// budget of its own, which such replays cannot touch; all live paths together stay below a whole
// core, for their addresses can be forged by who knows them.
constexpr double kStrangersShare = 0.07;
constexpr Duration kStrangersBurst = 50ms;
constexpr double kProvenShare = 0.03;
constexpr Duration kProvenBurst = 50ms;
constexpr double kNeighboursShare = 0.005;
constexpr Duration kNeighboursBurst = 5ms;
constexpr std::size_t kNeighbours = 64;
constexpr double kCookieRepliesShare = 0.02;  // besides, for it buys order
constexpr Duration kCookieRepliesBurst = 10ms;
constexpr double kElsewhereShare = 0.025;  // of one peer
constexpr Duration kElsewhereBurst = 10ms;
constexpr double kPathShare = 0.02;  // of one peer
constexpr Duration kPathBurst = 20ms;
constexpr double kPathsShare = 0.6;
constexpr Duration kPathsBurst = 200ms;

inline WorkBudget path_budget(double factor) { return {factor * kPathShare, kPathBurst}; }

/// What one peer's datagrams may cost us. `factor`: of the shares above.
struct PeerBudgets {
  explicit PeerBudgets(double factor)
      : path(path_budget(factor)),
        elsewhere(factor * kElsewhereShare, kElsewhereBurst),
        proven(factor * kElsewhereShare, kElsewhereBurst),
        resp_hello(factor * kPathShare, kPathBurst) {}
  WorkBudget path;
  WorkBudget elsewhere;
  WorkBudget proven;  // the same, where a cookie was brought
  /// RespHello for a running exchange: its session id must be known, so this is for who listens.
  WorkBudget resp_hello;
};

struct NodeBudgets {
  explicit NodeBudgets(double factor)
      : strangers(factor * kStrangersShare, kStrangersBurst),
        paths(factor * kPathsShare, kPathsBurst),
        proven(factor * kProvenShare, kProvenBurst),
        neighbours(kNeighbours, WorkBudget(factor * kNeighboursShare, kNeighboursBurst)) {}
  WorkBudget strangers;
  WorkBudget paths;
  WorkBudget proven;
  WorkBudget cookie_replies{kCookieRepliesShare, kCookieRepliesBurst};
  std::vector<WorkBudget> neighbours;
};

}  // namespace trellis::rosenpass
