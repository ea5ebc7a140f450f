#pragma once

#include "base/time.h"

#include <cstdint>

/// Numbers of the protocol, of its deployed implementations, and ours where they leave room.
namespace trellis::rosenpass {

constexpr Duration kRenewAsResponder = 120s;  // age at which the last responder starts an exchange
constexpr Duration kRenewAsInitiator = 130s;  // the last initiator waits longer: roles alternate
constexpr Duration kRejectAfter = 180s;       // age at which a key, and a biscuit, is worth nothing

constexpr Duration kBiscuitEpoch = 300s;     // a biscuit key seals for one epoch, opens for two
constexpr Duration kBiscuitMarkEvery = 10s;  // how exactly a biscuit's age is known

constexpr Duration kHelloLife = 60s;     // an InitHello unanswered so long is replaced
constexpr int kConfirmationRepeats = 2;  // so often an InitConf is repeated, then replaced

constexpr Duration kRetryFirst = 250ms;     // doubles with each repeat, times U(0.5, 1)
constexpr Duration kRetryMostAtFirst = 2s;  // the cap in the first minute, and while a path answers
constexpr Duration kRetryMost = 10s;        // the cap afterwards
constexpr Duration kEagerFor = 60s;         // that first minute
constexpr Duration kPathAnswersFor = 30s;   // heard from so lately, a path is said to answer

/// The end with the larger peer id leaves InitHello unanswered so long after the first one of its
/// own exchange: it only saves the work of a collision. [pair rule 2]
constexpr Duration kCollisionQuiet = 1s;

/// Where the counter of EmptyData starts. Receivers take any value from 0 on.
constexpr std::uint64_t kFirstCounter = 1;

// What work costs, roughly, on a slow core, and what it may cost. [pair rule 13]
constexpr Duration kCostOfOpening = 700us;     // InitHello until the peer's id is known
constexpr Duration kCostOfAnswering = 1300us;  // the rest, up to RespHello
constexpr Duration kCostOfRespHello = 800us;

}  // namespace trellis::rosenpass
