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

/// Another pair carries the traffic from now on, or the first one does.
struct Selected {
  Endpoint remote;
};
/// None does any more.
struct Lost {};
using Event = std::variant<Selected, Lost>;

/// The ways to one peer: finds those that work by checks that both ends authenticate, settles for
/// the best, watches it, and looks for another when it fails. [RFC 8445, RFC 7675]
///
/// One component, one wildcard socket a family, so that a pair is named by its remote address. A
/// path is a pair that has answered:
///
///                    any pair answers
///   no path --------------------------------> path <----- answer ------ in doubt
///      ^                                      |  ^  \                    |  |
///      |   a better pair answers (controlling)|  |   \-- 2 unanswered ---^  |
///      |   a nominated one does (controlled)  '--'                          |
///      |                                       ^------ 4 unanswered, and ---|
///      |                                               another pair answers |
///      '----------------------------- no answer for 6 s -------------------'
///
/// While there is no path, or it is in doubt, all pairs are checked. It differs from the RFC where
/// both ends gain: a pair carries traffic as soon as it has answered, before it is nominated; the
/// controlling end nominates its path with every check of it, so that it can nominate a better one
/// later; a check is repeated under a new transaction, so that round trips are measured; a check
/// that failed is not the end of a pair, but is made again, more and more rarely.
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
    /// Which addresses may be a way to the peer at all; none: each. [pair rule 9]
    std::function<bool(const Endpoint&)> usable;
  };

  /// `random` must outlive the agent.
  Agent(TimePoint now, Config config, Random& random);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() = default;

  /// The peer's candidates, as it names them now; they are checked where that can gain something.
  /// Those that it named before and does not any more are forgotten, unless they answer. Of those
  /// that are usable, the first kSignalledMax count; if none is, nothing changes.
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

  /// The path; null: none.
  const CandidatePair* selected() const { return selected_ ? find(*selected_) : nullptr; }
  const std::vector<CandidatePair>& pairs() const { return pairs_; }
  const Credentials& local_credentials() const { return config_.local; }
  Role role() const { return role_; }

  struct Counters {
    std::uint64_t checks_sent = 0;
    std::uint64_t checks_received = 0;   // authentic ones
    std::uint64_t answers_received = 0;  // to checks of ours, authentic ones
    std::uint64_t not_authentic = 0;
    std::uint64_t not_answered = 0;  // authentic checks from unusable addresses, or too many
  };
  const Counters& counters() const { return counters_; }

 private:
  // Messages: agent_messages.cc.
  bool handle_request(TimePoint now, const Endpoint& from, const stun::Message& request,
                      ByteView datagram);
  bool handle_response(TimePoint now, const Endpoint& from, const stun::Message& response,
                       ByteView datagram);
  bool settle_roles(const Endpoint& from, const stun::Message& request);
  void answer(const Endpoint& to, const stun::Message& request);
  void refuse(const Endpoint& to, const stun::Message& request, stun::ErrorNumber why);
  void handle_error(TimePoint now, CandidatePair& pair, const SentCheck& check,
                    const stun::Message& response);
  void send_check(TimePoint now, CandidatePair& pair);

  // Which pairs there are: agent.cc.
  CandidatePair* find(const Endpoint& remote);
  const CandidatePair* find(const Endpoint& remote) const;
  CandidatePair& learn(TimePoint now, const Endpoint& from, std::uint32_t priority);
  bool name(TimePoint now, const Candidate& candidate);
  void forget_unnamed(TimePoint now, std::size_t keep);
  void set_priority(CandidatePair& pair) const;
  void sort_pairs();
  void set_role(Role role);
  bool is_usable(const Endpoint& endpoint) const;

  // Which is the path, and when each is checked: agent_path.cc.
  void handle_checked(TimePoint now, CandidatePair& pair, bool nominated);
  void handle_answer(TimePoint now, CandidatePair& pair);
  bool is_path(const CandidatePair& pair) const { return selected_ == pair.endpoint(); }
  bool may_replace(const CandidatePair& pair, const CandidatePair& path) const;
  void select(TimePoint now, CandidatePair& pair);
  void lose(TimePoint now);
  void review_path(TimePoint now);
  bool replace_path(TimePoint now, const CandidatePair& path);
  void begin_search(TimePoint now);
  void end_search(TimePoint now, const CandidatePair& path);
  void notice_sleep(TimePoint now);
  void trigger(TimePoint now, CandidatePair& pair);
  void probe_path(TimePoint now, const Endpoint& heard);
  void run_checks(TimePoint now);
  CandidatePair* next_due(TimePoint now);
  std::optional<TimePoint> due_after(TimePoint now, CandidatePair& pair);
  std::optional<TimePoint> due_beside(TimePoint now, const CandidatePair& pair,
                                      const CandidatePair& path);
  Duration search_interval(TimePoint now) const;
  Duration jittered(Duration interval);

  Config config_;
  Role role_;
  std::uint64_t tie_breaker_;
  Random& random_;
  std::vector<CandidatePair> pairs_;  // best first
  std::optional<Endpoint> selected_;
  std::optional<TimePoint> search_began_;  // without a path, or with one in doubt
  Pacer pace_{kBurst, kPace};
  Pacer unknown_{kUnknownBurst, kUnknownPause};
  std::deque<Transmit> transmits_;
  std::deque<Event> events_;
  Counters counters_;
};

}  // namespace trellis::ice
