#pragma once

#include "protocol/rosenpass/admission.h"
#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/cookie.h"
#include "protocol/rosenpass/initiator.h"
#include "protocol/rosenpass/node.h"
#include "protocol/rosenpass/responder.h"

#include <optional>
#include <variant>

namespace trellis::rosenpass {

//              begin                RespHello             EmptyData, confirm
//   Idle -----------------> Hello -----------------> Conf -----------------> Idle
//     ^                    |  ^  \ 60 s: a new one    |  |
//     |      InitConf      |  |   `---> Hello         |  | all repeats unanswered
//     +--------------------+  +-----------------------|--+
//     +-----------------------------------------------+  InitConf, unless ours goes on [pair rule
//     1]

struct NoExchange {};

/// Our InitHello is out.
struct HelloExchange {
  ExchangeId id;
  TimePoint first_sent;  // the age of the key will count from here
  HelloSent sent;
  ByteVector init_hello;
  int repeats = 0;
};

/// Our InitConf is out. The owner holds the key as pending.
struct ConfExchange {
  ExchangeId id;
  TimePoint first_sent;  // of InitHello
  ConfSent sent;
  SessionId sidr;
  ByteVector init_conf;
  int repeats = 0;
};

using OwnExchange = std::variant<NoExchange, HelloExchange, ConfExchange>;

/// The exchange whose key is current.
struct CurrentExchange {
  ExchangeId id;
  TimePoint age_from;
  Role role;
};

/// The InitConf accepted last: its repeats get the same answer, and are no second exchange.
struct AcceptedConf {
  InitConf message;
  ByteVector empty_data;
  TimePoint age_from;
};

// Begin    an exchange is wanted. Armed in NoExchange with a path: at once without a current key,
//          else for its renewal.
// Repeat   send InitHello or InitConf again. Armed in the other two states.
// Abandon  the exchange has lasted too long: InitHello is replaced, a pending key is dead.
// Expire   the current key is dead. Armed while there is one.
enum class PeerTimer { Begin, Repeat, Abandon, Expire, kCount };

struct Peer {
  PeerId id;
  const Identity* own;  // in the dialect that we speak with this peer; stays with the node
  Counterpart counterpart;
  PeerKind kind;             // as far as we know it by now
  PeerKind configured_kind;  // as we were told
  std::optional<Endpoint> path = std::nullopt;

  OwnExchange exchange = NoExchange{};
  TimePoint exchange_since;
  std::optional<CurrentExchange> current = std::nullopt;
  BiscuitNumber biscuits_dead_to = 0;  // numbers up to here open nothing any more
  std::optional<AcceptedConf> accepted = std::nullopt;
  TimerTable<PeerTimer> timers = {};

  TimePoint trying_since;  // exchanges have been wanted, and none completed, since
  std::optional<ConfSent> given_up = std::nullopt;  // the last InitConf that stayed unanswered
  int patience = 0;                                 // answers to such ones that came too late
  std::optional<TimePoint> heard = std::nullopt;  // a fresh and authentic message, of any protocol
  std::optional<HeldCookie> cookie = std::nullopt;     // the last that it asked us to bring
  std::optional<CookieKey> cookie_key = std::nullopt;  // with which it seals them, once needed
  PeerBudgets budgets;
  PeerStatus counters = {};  // only its counters and its last drop are kept here
  std::optional<TimePoint> deadline = std::nullopt;  // as the node has it in its order of deadlines

  ExchangeState state() const { return static_cast<ExchangeState>(exchange.index()); }
  /// Who does not takes the question for noise.
  bool understands_cookies() const {
    return configured_kind == PeerKind::Trellis || configured_kind == PeerKind::Unknown;
  }
  bool path_answers(TimePoint now) const { return heard && now - *heard < kPathAnswersFor; }
};

/// How long to wait for an answer before the next repeat, without jitter: doubles up to a cap.
Duration repeat_delay(const Peer& peer, TimePoint now, int repeats);

}  // namespace trellis::rosenpass
