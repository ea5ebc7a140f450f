#pragma once

#include "base/time.h"

#include <cstdint>

/// Numbers of the protocol, of its deployed implementations, and ours where they leave room.
namespace trellis::rosenpass {

constexpr Duration kRenewAsResponder = 120s;  // age at which the last responder starts an exchange
constexpr Duration kRenewAsInitiator = 130s;  // the last initiator waits longer: roles alternate
constexpr Duration kRejectAfter = 180s;       // age at which a key, and a biscuit, is worth nothing

constexpr Duration kBiscuitEpoch = 300s;     // a biscuit key seals for one epoch, opens for two
constexpr Duration kCookieEpoch = 120s;      // a cookie secret makes cookies for one epoch
constexpr Duration kCookieLife = 120s;       // so long we send one that we were given
constexpr Duration kCookieReplyEvery = 1s;   // so often at most we act on being given one
constexpr Duration kBiscuitMarkEvery = 10s;  // how exactly a biscuit's age is known

constexpr Duration kHelloLife = 60s;  // an InitHello unanswered so long is replaced
/// So often an InitConf is repeated before a new exchange begins. It costs next to nothing, and a
/// new InitHello much: with two repeats one start in 700 took longer than 10 s at 40 % loss.
constexpr int kConfirmationRepeats = 4;

// Waiting for an answer, before jitter U(0.5, 1): InitHello is repeated after kRetryFirst, then
// after twice that, and so on up to a cap, which rises with the time for which we have tried in
// vain. At 40 % loss a round trip succeeds in one of three: the first cap makes enough of them in
// 10 s.
constexpr Duration kRetryFirst = 250ms;
constexpr Duration kRetryMostAtFirst = 500ms;
constexpr Duration kAtFirst = 10s;
constexpr Duration kRetryMostWhileEager = 2s;  // also for ever while the path answers
constexpr Duration kEagerFor = 60s;
constexpr Duration kRetryMost = 4s;
// InitConf is repeated after kRetryFirst each time, for the path has just answered. If the answer
// to an exchange comes after its end, the path is longer than that: each time doubles it.
constexpr int kPatienceMost = 3;
constexpr Duration kPathAnswersFor = 30s;  // heard from so lately, a path is said to answer

/// The end with the larger peer id leaves InitHello unanswered so long after the first one of its
/// own exchange: it only saves the work of a collision. [pair rule 2]
constexpr Duration kCollisionQuiet = 1s;

/// Where the counter of EmptyData starts. Receivers take any value from 0 on.
constexpr std::uint64_t kFirstCounter = 1;

// What work costs, roughly, on a slow core, and what it may cost. [pair rule 13]
constexpr Duration kCostOfOpening = 700us;     // InitHello until the peer's id is known
constexpr Duration kCostOfAnswering = 1300us;  // the rest, up to RespHello
constexpr Duration kCostOfRespHello = 800us;
constexpr Duration kCostOfCookieReply = 20us;

}  // namespace trellis::rosenpass
