#include "apps/join_progress.h"

#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

using Verdict = JoinProgress::Verdict;
using Output = JoinProgress::Output;

JsonValue status(const std::string& network) {
  return JsonValue::parse(R"({"name":"alice","network":)" + network + "}");
}

const JsonValue kConnecting = status(R"({"state":"connecting","steps":[
  {"name":"keys","state":"done","milliseconds":120.4,"detail":"made"},
  {"name":"connect","state":"running"}]})");
const JsonValue kUp = status(R"({"state":"up","steps":[
  {"name":"keys","state":"done","milliseconds":120.4,"detail":"made"},
  {"name":"connect","state":"done","milliseconds":11,"detail":"X25519MLKEM768"},
  {"name":"login","state":"done","milliseconds":4},
  {"name":"network map","state":"done","milliseconds":12345},
  {"name":"key upload","state":"running"}]})");

TEST(JoinProgress, ShowsEachStepOnceWhenItIsDone) {
  JoinProgress progress(Output::Lines);
  const auto first = progress.observe(kConnecting);
  EXPECT_EQ(first.verdict, Verdict::Running);
  EXPECT_EQ(first.text, "  keys           120 ms  made\n");
  EXPECT_EQ(progress.observe(kConnecting).text, "");
  const auto last = progress.observe(kUp);
  EXPECT_EQ(last.verdict, Verdict::Joined);
  EXPECT_EQ(last.text,
            "  connect         11 ms  X25519MLKEM768\n"
            "  login            4 ms\n"
            "  network map    12.3 s\n");
}

TEST(JoinProgress, DrawsTheRunningStepOnATerminalAndLeavesNoneBehind) {
  JoinProgress progress(Output::Terminal);
  EXPECT_EQ(progress.observe(kConnecting).text,
            "\r\x1b[K  keys           120 ms  made\n  connect           ...");
  EXPECT_EQ(progress.observe(kConnecting).text, "");
  const std::string last = progress.observe(kUp).text;
  EXPECT_TRUE(last.starts_with("\r\x1b[K  connect         11 ms")) << last;
  EXPECT_TRUE(last.ends_with("\r\x1b[K")) << last;
}

TEST(JoinProgress, TellsAnErrorOnceAndGoesOn) {
  const JsonValue away = status(R"({"state":"connecting",
    "server":{"error":"cannot reach 192.0.2.1:443: Connection refused"},"steps":[]})");
  JoinProgress progress(Output::Lines);
  const auto first = progress.observe(away);
  EXPECT_EQ(first.verdict, Verdict::Running);
  EXPECT_EQ(first.text, "  cannot reach 192.0.2.1:443: Connection refused; trying again\n");
  EXPECT_EQ(progress.observe(away).text, "");
  EXPECT_EQ(progress.last_error(), "cannot reach 192.0.2.1:443: Connection refused");
  EXPECT_EQ(progress.observe(kUp).verdict, Verdict::Joined);
}

TEST(JoinProgress, SaysThatKeysAreOnTheirWay) {
  JoinProgress progress(Output::Lines);
  const auto joined = progress.observe(status(
      R"({"state":"up","keys":{"fetches":[{"bytes":131040,"total":524160,"error":null}]}})"));
  EXPECT_EQ(joined.verdict, Verdict::Joined);
  EXPECT_EQ(joined.text, "  keys go on    1 of peers from there, 25 %\n");
}

TEST(JoinProgress, EndsWithTheLastMapWhenTheServerIsAway) {
  JoinProgress progress(Output::Lines);
  const auto trying = progress.observe(status(R"({"state":"offline","server":{"error":null}})"));
  EXPECT_EQ(trying.verdict, Verdict::Running);
  const auto away =
      progress.observe(status(R"({"state":"offline","server":{"error":"Connection refused"}})"));
  EXPECT_EQ(away.verdict, Verdict::Offline);
  EXPECT_EQ(away.why, "Connection refused");
}

TEST(JoinProgress, EndsWhenTheServerRefuses) {
  JoinProgress progress(Output::Lines);
  const auto refused =
      progress.observe(status(R"({"state":"refused","error":"the setup key is not valid"})"));
  EXPECT_EQ(refused.verdict, Verdict::Refused);
  EXPECT_EQ(refused.why, "the setup key is not valid");
  const auto without_a_word = progress.observe(status(R"({"state":"refused"})"));
  EXPECT_FALSE(without_a_word.why.empty());
}

TEST(JoinProgress, SurvivesStatusesOfAnyShape) {
  for (const char* network :
       {"{}", "3", "null", "[]", R"({"state":3,"steps":3,"server":[],"error":{}})",
        R"({"steps":[3,{},{"name":[]},{"state":"done","milliseconds":"x"}]})"}) {
    SCOPED_TRACE(network);
    for (const Output output : {Output::Lines, Output::Terminal}) {
      EXPECT_EQ(JoinProgress(output).observe(status(network)).verdict, Verdict::Running);
    }
  }
}

}  // namespace
}  // namespace trellis::apps
