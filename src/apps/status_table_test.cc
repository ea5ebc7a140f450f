#include "apps/status_table.h"

#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

constexpr const char* kAnswer = R"({"ok":true,"status":{"version":1,"name":"alice",
"interface":"trellis0","addresses":["100.71.0.1/24","fd71::1/64"],"listen_port":51820,
"mode":"strict","warnings":["the disk is full; make room"],"peers":[
{"name":"bob","addresses":["100.71.0.2","fd71::2"],"endpoint":"192.0.2.2:51820",
"post_quantum":true,"protection":"post-quantum","why_not":null,"suite":"rosenpass-v02",
"latest_handshake_seconds":61.5,"session_key_age_seconds":62.25,"renewals":1,
"received_bytes":2048,"sent_bytes":5},
{"name":"carol-with-a-long-name","addresses":["100.71.0.3"],"endpoint":null,
"post_quantum":false,"protection":"none","why_not":"no endpoint is known","suite":null,
"latest_handshake_seconds":null,"session_key_age_seconds":null,"renewals":0,
"received_bytes":0,"sent_bytes":0},
{"name":"dora","addresses":["100.71.0.4"],"endpoint":"[2001:db8::4]:1",
"post_quantum":false,"protection":"plain","why_not":"peer has no post-quantum key",
"latest_handshake_seconds":1,"renewals":0,"received_bytes":1,"sent_bytes":1}]}})";

TEST(StatusTable, ShowsEachPeerAndWhatItLacks) {
  const auto table = status_table(kAnswer);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(*table,
            "alice on trellis0, 100.71.0.1/24, fd71::1/64, UDP port 51820, strict\n"
            "warning: the disk is full; make room\n"
            "\n"
            "NAME                    ADDRESS     ENDPOINT         HANDSHAKE  RX / TX        "
            "POST-QUANTUM\n"
            "bob                     100.71.0.2  192.0.2.2:51820  1m 1s ago  2.0 KiB / 5 B  "
            "yes: rosenpass-v02, key 1m 2s old, 1 renewal\n"
            "                        fd71::2\n"
            "carol-with-a-long-name  100.71.0.3  -                never      0 B / 0 B      "
            "no: no session\n"
            "  why not: no endpoint is known\n"
            "dora                    100.71.0.4  [2001:db8::4]:1  1s ago     1 B / 1 B      "
            "no: plain WireGuard\n"
            "  why not: peer has no post-quantum key\n");
}

constexpr const char* kMesh = R"({"ok":true,"status":{"name":"alice","interface":"trellis0",
"addresses":["100.93.1.2/16"],"listen_port":51820,"mode":"strict","warnings":[],
"network":{"state":"up","name":"alice","domain":"trellis.internal","serial":1790000000000,
"server":{"url":"https://192.0.2.9#sha256:5a5a","state":"connected","since_seconds":3,"error":null,
"tls":"X25519MLKEM768","next_try_seconds":null},"signal":{"state":"connected"},"steps":[]},
"peers":[{"name":"bob","addresses":["100.93.3.4"],"endpoint":"192.0.2.2:51820",
"post_quantum":true,"protection":"post-quantum","suite":"rosenpass-v02",
"latest_handshake_seconds":1,"session_key_age_seconds":1,"renewals":0,"received_bytes":1,
"sent_bytes":1,"path":{"kind":"direct","address":"192.0.2.2:51820","rtt_milliseconds":0.42}},
{"name":"carol","addresses":["100.93.3.5"],"post_quantum":false,"path":null,
"why_not":"no path yet"}]}})";

TEST(StatusTable, OfAMeshShowsTheServerAndThePaths) {
  const auto table = status_table(kMesh);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(*table,
            "alice on trellis0, 100.93.1.2/16, UDP port 51820, strict\n"
            "network  up, trellis.internal, map 1790000000000\n"
            "server   https://192.0.2.9, connected for 3s, X25519MLKEM768\n"
            "signal   connected\n"
            "\n"
            "NAME   ADDRESS     PATH                            HANDSHAKE  RX / TX    "
            "POST-QUANTUM\n"
            "bob    100.93.3.4  direct 192.0.2.2:51820, 0.4 ms  1s ago     1 B / 1 B  "
            "yes: rosenpass-v02, key 1s old, 0 renewals\n"
            "carol  100.93.3.5  -                               never      0 B / 0 B  "
            "no: no session\n"
            "  why not: no path yet\n");
  const auto peers = peers_json(kMesh);
  ASSERT_TRUE(peers);
  EXPECT_NE(peers->find("\"rtt_milliseconds\": 0.42"), std::string::npos) << *peers;
}

TEST(StatusTable, OfAMeshTellsWhatIsWrongWithTheServer) {
  const auto away = status_table(R"({"ok":true,"status":{"name":"alice","interface":"trellis0",
"addresses":["100.93.1.2/16"],"listen_port":51820,"mode":"strict","network":{"state":"offline",
"server":{"url":"https://vpn.example","state":"away","since_seconds":61,
"error":"cannot reach 192.0.2.9:443: Connection refused","next_try_seconds":0.3}}}})");
  ASSERT_TRUE(away);
  EXPECT_EQ(*away,
            "alice on trellis0, 100.93.1.2/16, UDP port 51820, strict\n"
            "network  offline\n"
            "server   https://vpn.example, away for 1m 1s, next try in 1s\n"
            "         cannot reach 192.0.2.9:443: Connection refused\n");
  const auto keys = status_table(
      R"({"ok":true,"status":{"network":{"state":"up","keys":{
        "upload":{"key":"1:00","bytes":131040,"total":524160,"error":null},
        "fetches":[{"key":"1:01","bytes":524159,"total":524160,"error":null},
                   {"key":"1:02","bytes":0,"total":524160,"error":"the server does not have it yet"}
        ]}}}})");
  EXPECT_EQ(*keys,
            "network  up\n"
            "keys     ours to the server 25 %; 2 of peers from there, 49 %\n"
            "         the server does not have it yet\n"
            "\nno peers yet\n");
  const auto down = status_table(R"({"ok":true,"status":{"name":"alice","network":{"state":"down",
"server":{"url":"https://vpn.example#sha256:5a"}},"peers":[],"warnings":[]}})");
  ASSERT_TRUE(down);
  EXPECT_EQ(*down,
            "alice\nnetwork  down: `trellis up` brings it up again\n"
            "server   https://vpn.example\n");
  const auto none = status_table(
      R"({"ok":true,"status":{"network":{"state":"down","server":{"url":null}},"peers":[]}})");
  ASSERT_TRUE(none);
  EXPECT_EQ(*none, "network  none: `trellis up --server URL` joins one\n");
  const auto alone =
      status_table(R"({"ok":true,"status":{"name":"alice","network":{"state":"up"},"peers":[]}})");
  ASSERT_TRUE(alone);
  EXPECT_EQ(*alone, "alice\nnetwork  up\n\nno peers yet\n");
}

TEST(StatusTable, GivesTheStatusAndTheListAsJson) {
  const auto status = status_json(kAnswer);
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->starts_with("{\n  \"version\": 1,\n  \"name\": \"alice\"")) << *status;
  const auto peers = peers_json(kAnswer);
  ASSERT_TRUE(peers);
  EXPECT_NE(peers->find("\"name\": \"dora\""), std::string::npos);
  EXPECT_EQ(peers->find("suite"), std::string::npos);
  const auto table = peers_table(kAnswer);
  ASSERT_TRUE(table);
  EXPECT_TRUE(
      table->starts_with("NAME                    ADDRESS     POST-QUANTUM\n"
                         "bob                     100.71.0.2  yes\n"))
      << *table;
}

TEST(StatusTable, PassesOnWhatTheAgentRefuses) {
  const auto refused = check_answer(R"({"ok":false,"error":"only root may do that"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "only root may do that");
  EXPECT_TRUE(check_answer(R"({"ok":true})"));
}

TEST(StatusTable, SurvivesAnswersOfAnyShape) {
  const char* const wrong[] = {
      "", "x", "[]", "{}", "null", R"({"ok":1})", R"({"ok":true})", R"({"ok":true,"status":3})"};
  for (const char* answer : wrong) {
    SCOPED_TRACE(answer);
    EXPECT_FALSE(status_table(answer));
    EXPECT_FALSE(status_json(answer));
    EXPECT_FALSE(peers_table(answer));
  }
  const char* const odd[] = {
      R"({"ok":true,"status":{}})",
      R"({"ok":true,"status":{"name":3,"peers":[3,{"name":[]}],"warnings":"x"}})",
      R"({"ok":true,"status":{"network":3}})",
      R"({"ok":true,"status":{"network":{"state":3,"server":"x","signal":[],"serial":-1}}})",
      R"({"ok":true,"status":{"network":{"keys":{"upload":3,"fetches":[3,{"total":-1}]}}}})",
      R"({"ok":true,"status":{"network":{"keys":[{"upload":{"total":"x"}}]}}})",
      R"({"ok":true,"status":{"network":{"x":1},"peers":[{"path":{"kind":1,"address":[]}}]}})",
      R"({"ok":true,"status":{"peers":[{"addresses":[1],"received_bytes":-1,"renewals":"x"}]}})",
  };
  for (const char* answer : odd) {
    SCOPED_TRACE(answer);
    EXPECT_TRUE(status_table(answer));
    EXPECT_TRUE(peers_table(answer));
    EXPECT_TRUE(peers_json(answer));
  }
}

}  // namespace
}  // namespace trellis::apps
