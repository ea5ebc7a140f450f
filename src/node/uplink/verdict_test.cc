#include "node/uplink/verdict.h"

#include <gtest/gtest.h>

namespace trellis::uplink {
namespace {

using grpc::StatusCode;

TEST(Verdict, TellsWhatFollowsFromEachRefusal) {
  struct Case {
    const char* name;
    StatusCode code;
    LoginAttempt attempt;
    Verdict::Action action;
    std::optional<Refusal> reason;
    bool permanent;
  };
  constexpr LoginAttempt kBare{};
  constexpr LoginAttempt kWithKeyAtHand{.has_setup_key = true};
  constexpr LoginAttempt kWithKey{.with_setup_key = true};
  constexpr LoginAttempt kMember{.was_member = true};
  const Case cases[] = {
      {"unknown", StatusCode::PermissionDenied, kBare, Verdict::Action::Refuse, Refusal::NotMember,
       true},
      {"unknown, a key is at hand", StatusCode::PermissionDenied, kWithKeyAtHand,
       Verdict::Action::UseSetupKey, std::nullopt, false},
      {"unknown in spite of the key", StatusCode::PermissionDenied, kWithKey,
       Verdict::Action::Refuse, Refusal::NotMember, true},
      {"removed", StatusCode::PermissionDenied, kMember, Verdict::Action::Refuse, Refusal::Removed,
       false},
      {"bad key", StatusCode::InvalidArgument, kWithKey, Verdict::Action::Refuse, Refusal::SetupKey,
       true},
      {"bad key, stock server", StatusCode::NotFound, kWithKey, Verdict::Action::Refuse,
       Refusal::SetupKey, true},
      {"not understood", StatusCode::InvalidArgument, kBare, Verdict::Action::Reconnect,
       std::nullopt, false},
      {"in use elsewhere", StatusCode::FailedPrecondition, kMember, Verdict::Action::Refuse,
       Refusal::Conflict, false},
      {"no such service", StatusCode::Unimplemented, kBare, Verdict::Action::Refuse,
       Refusal::NotOurServer, false},
      {"disk full", StatusCode::Unavailable, kWithKey, Verdict::Action::Reconnect, std::nullopt,
       false},
      {"slow", StatusCode::DeadlineExceeded, kBare, Verdict::Action::Reconnect, std::nullopt,
       false},
      {"another connection's nonce", StatusCode::Unauthenticated, kBare, Verdict::Action::Reconnect,
       std::nullopt, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Verdict verdict = judge_login({c.code, "the server's words"}, c.attempt);
    EXPECT_EQ(verdict.action, c.action);
    EXPECT_EQ(verdict.reason, c.reason.value_or(Refusal{}));
    EXPECT_EQ(verdict.permanent, c.permanent);
    EXPECT_EQ(verdict.message.empty(), c.action == Verdict::Action::UseSetupKey);
  }
}

TEST(Verdict, KeepsASetupKeyThatMayStillBeOfUse) {
  const LoginAttempt attempt{.with_setup_key = true, .has_setup_key = true};
  EXPECT_TRUE(judge_login({StatusCode::InvalidArgument, ""}, attempt).setup_key_spent);
  EXPECT_TRUE(judge_login({StatusCode::PermissionDenied, ""}, attempt).setup_key_spent);
  EXPECT_FALSE(judge_login({StatusCode::Unavailable, ""}, attempt).setup_key_spent);
  EXPECT_FALSE(judge_login({StatusCode::FailedPrecondition, ""}, attempt).setup_key_spent);
}

TEST(Verdict, LetsNothingOfTheServerSpoilATerminal) {
  const Verdict verdict =
      judge_login({StatusCode::FailedPrecondition, "a\x1b[2Jb\n" + std::string(5000, 'x')}, {});
  EXPECT_EQ(verdict.message.find('\x1b'), std::string::npos);
  EXPECT_EQ(verdict.message.find('\n'), std::string::npos);
  EXPECT_LT(verdict.message.size(), 600U);
}

}  // namespace
}  // namespace trellis::uplink
