#pragma once

#include "base/random.h"
#include "base/time.h"
#include "protocol/ice/candidate_pair.h"
#include "protocol/ice/credentials.h"
#include "protocol/ice/pacer.h"
#include "protocol/ice/priority.h"
#include "protocol/stun/message.h"

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace trellis::ice {

/// The pair that carries the traffic is another one, or the first one.
struct Selected {
  Endpoint remote;
};
/// None carries it any more.
struct Lost {};
using Event = std::variant<Selected, Lost>;

/// The ways to one peer: finds those that work by checks that both ends authenticate, settles for
/// the best, watches it, and looks for another when it fails. [RFC 8445, RFC 7675]
///
/// Full ICE for one component over one wildcard socket a family, so that a pair is named by its
/// remote address. It never ends: there is no state in which a new address would not be tried.
///
///                answer, or nomination and answer          no answer for 6 s
///   Searching ------------------------------------> Selected ---------------> Searching
///                                                    |    ^
///                            two checks unanswered   v    | answer
///                                                   InDoubt ---> another pair has answered:
///                                                   Selected
///
/// It differs from the RFC where both ends gain: any pair that has answered may carry traffic
/// before it is nominated; the controlling end puts USE-CANDIDATE into every check of the pair that
/// it has selected, and may select a better one later; a check is never repeated with the same
/// transaction.
///
/// Pure. Drain `poll_transmit` and `poll_event` after every call that takes `now`.
class Agent {
 public:
  struct Config {
    Credentials local;
    Credentials remote;
    Role role = Role::Controlling;
    /// The first bytes of our transactions, by which an owner of many agents finds this one.
    Bytes<4> transaction_prefix{};
    /// Which addresses may be a way to the peer at all. [pair rule 9]
    std::function<bool(const Endpoint&)> usable;
  };

  /// `random` must outlive the agent.
  Agent(TimePoint now, Config config, Random& random);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// The peer's candidates, as it says now. Those that it named before and does not any more are
  /// forgotten, unless they answer. Of those that may be used, the first kSignalledMax count.
  void set_remote_candidates(TimePoint now, std::span<const Candidate> candidates);
  /// Something that the peer authenticated in another way came from there. It is checked, no more.
  void heard_from(TimePoint now, const Endpoint& from);
  /// Tries all pairs anew, at once; the path stays while it answers.
  void restart(TimePoint now);

  /// False if it is not for us, or not authentic: then nothing has changed. `message` was parsed
  /// from `datagram`.
  bool handle_message(TimePoint now, const Endpoint& from, const stun::Message& message,
                      ByteView datagram);
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;

  struct Transmit {
    Endpoint to;
    ByteVector bytes;
  };
  std::optional<Transmit> poll_transmit();
  std::optional<Event> poll_event();

  /// The pair that carries the traffic.
  const CandidatePair* selected() const { return find(selected_); }
  const std::vector<CandidatePair>& pairs() const { return pairs_; }
  const Credentials& local_credentials() const { return config_.local; }
  Role role() const { return role_; }

  struct Counters {
    std::uint64_t checks_sent = 0;
    std::uint64_t checks_received = 0;   // authentic ones
    std::uint64_t answers_received = 0;  // to checks of ours
    std::uint64_t not_authentic = 0;
    std::uint64_t not_answered =
        0;  // authentic checks beyond the bound, or from unusable addresses
  };
  const Counters& counters() const { return counters_; }

 private:
  bool handle_request(TimePoint now, const Endpoint& from, const stun::Message& message,
                      ByteView datagram);
  bool handle_response(TimePoint now, const Endpoint& from, const stun::Message& message,
                       ByteView datagram);
  bool settle_roles(const Endpoint& from, const stun::Message& request);
  void answer(const Endpoint& from, const stun::Message& request);
  void refuse(const Endpoint& to, const stun::Message& request, stun::ErrorNumber why);
  void handle_checked(TimePoint now, CandidatePair& pair, bool nominated);
  void handle_answer(TimePoint now, CandidatePair& pair, const SentCheck& check);

  CandidatePair* find(const std::optional<Endpoint>& remote);
  const CandidatePair* find(const std::optional<Endpoint>& remote) const;
  CandidatePair* learn(TimePoint now, const Endpoint& from, std::uint32_t priority);
  void put(TimePoint now, const Candidate& candidate);
  void forget_unnamed(TimePoint now);
  void set_priority(CandidatePair& pair) const;
  void set_role(Role role);

  void select(TimePoint now, CandidatePair& pair);
  void lose(TimePoint now);
  void review_path(TimePoint now);
  void begin_search(TimePoint now);
  void end_search(const CandidatePair& path);
  void notice_time(TimePoint now);

  void trigger(TimePoint now, CandidatePair& pair);
  void probe_path(TimePoint now);
  void run_checks(TimePoint now);
  CandidatePair* next_due();
  void send_check(TimePoint now, CandidatePair& pair);
  void schedule_next(TimePoint now, CandidatePair& pair);
  Duration search_interval(TimePoint now) const;
  Duration jittered(Duration interval);

  Config config_;
  Role role_;
  std::uint64_t tie_breaker_;
  Random& random_;
  std::vector<CandidatePair> pairs_;  // best first
  std::optional<Endpoint> selected_;
  std::optional<TimePoint> search_began_;  // while other pairs than the path are tried
  Pacer pace_{kBurst, kPace};
  Pacer unknown_{kUnknownBurst, kUnknownPause};
  std::deque<Transmit> transmits_;
  std::deque<Event> events_;
  Counters counters_;
};

}  // namespace trellis::ice
