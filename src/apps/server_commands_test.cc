#include "apps/server_commands.h"

#include "apps/command_line.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

namespace trellis::apps {
namespace {

using Command = ServerRequest::Command;

/// The question that a command line leads to, or nothing if it is wrong.
std::optional<std::string> question(std::vector<const char*> words) {
  CLI::App app;
  app.name("trellis");
  ServerRequest request;
  add_server_commands(*app.add_subcommand("server"), request);
  words.insert(words.begin(), {"trellis", "server"});
  testing::internal::CaptureStderr();
  const auto status = parse_command_line(app, static_cast<int>(words.size()), words.data());
  testing::internal::GetCapturedStderr();
  if (status) return std::nullopt;
  return server_question(request);
}

TEST(ServerCommands, AskWhatIsTyped) {
  EXPECT_EQ(question({"status"}), R"({"command":"status"})");
  EXPECT_EQ(question({"setup-key", "create"}),
            R"({"command":"setup-key create","name":"","reusable":false,"ephemeral":false})");
  EXPECT_EQ(question({"setup-key", "create", "--name", "lab", "--reusable", "--limit", "3",
                      "--expires", "24h", "--ephemeral"}),
            R"({"command":"setup-key create","name":"lab","reusable":true,"ephemeral":true,)"
            R"("limit":3,"expires_seconds":86400})");
  EXPECT_EQ(question({"setup-key", "list"}), R"({"command":"setup-key list"})");
  EXPECT_EQ(question({"setup-key", "revoke", "5f2c"}),
            R"({"command":"setup-key revoke","id":"5f2c"})");
  EXPECT_EQ(question({"peer", "list", "--json"}), R"({"command":"peer list"})");
  EXPECT_EQ(question({"peer", "remove", "bob"}), R"({"command":"peer remove","peer":"bob"})");
  EXPECT_EQ(question({"peer", "rename", "bob", "printer"}),
            R"({"command":"peer rename","name":"printer","peer":"bob"})");
  EXPECT_EQ(question({"peer", "trust", "bob"}), R"({"command":"peer trust","peer":"bob"})");
}

TEST(ServerCommands, RefuseWhatMakesNoSense) {
  EXPECT_FALSE(question({}));
  EXPECT_FALSE(question({"setup-key"}));
  EXPECT_FALSE(question({"setup-key", "create", "--limit", "3"}));  // of a one-off key
  EXPECT_FALSE(question({"setup-key", "create", "--reusable", "--limit", "0"}));
  EXPECT_FALSE(question({"setup-key", "create", "--expires", "tomorrow"}));
  EXPECT_FALSE(question({"setup-key", "revoke"}));
  EXPECT_FALSE(question({"peer", "rename", "bob"}));
}

std::string shown(Command command, std::string_view answer, Form form = Form::Text) {
  ServerRequest request;
  request.command = command;
  request.form = form;
  const auto text = server_text(request, answer);
  return text ? *text : "error: " + text.error().message;
}

constexpr const char* kCreated =
    R"({"ok":true,"id":"5f2c","setup_key":"ABCD-EF","server":"https://vpn.example#sha256:00ff"})";

TEST(ServerCommands, ACreatedKeyIsACommandToPasteWithoutTheKeyInItsArguments) {
  EXPECT_EQ(shown(Command::SetupKeyCreate, kCreated),
            "Setup key 5f2c admits one machine. It is shown only now. On the machine, as root:\n\n"
            "  echo ABCD-EF | trellis up --server 'https://vpn.example#sha256:00ff' "
            "--setup-key-file -\n");
  EXPECT_NE(shown(Command::SetupKeyCreate, kCreated, Form::Json).find("\"join\": \"echo ABCD-EF |"),
            std::string::npos);
}

TEST(ServerCommands, SetupKeysAreATable) {
  EXPECT_EQ(shown(Command::SetupKeyList, R"({"ok":true,"setup_keys":[
{"id":"5f2c","name":"lab","state":"valid","reusable":true,"limit":3,"used":1,"ephemeral":true,
"expires_seconds":3600,"created_seconds":60},
{"id":"77","name":"","state":"used up","reusable":false,"used":1,"expires_seconds":null,
"created_seconds":5}]})"),
            "ID    NAME  STATE             USED    EXPIRES   CREATED\n"
            "5f2c  lab   valid, ephemeral  1 of 3  in 1h 0m  1m 0s ago\n"
            "77    -     used up           1 of 1  never     5s ago\n");
  EXPECT_NE(shown(Command::SetupKeyList, R"({"ok":true,"setup_keys":[]})").find("no setup keys"),
            std::string::npos);
}

TEST(ServerCommands, PeersAreATableWithWhatIsWrongBelow) {
  EXPECT_EQ(shown(Command::PeerList, R"({"ok":true,"peers":[
{"name":"alice","addresses":["100.71.0.1","fd71::1"],"connected":true,"post_quantum_key":"yes",
"tls":"X25519MLKEM768","version":"0.1.0","warnings":["its state was copied"]},
{"name":"bob","addresses":["100.71.0.2"],"connected":false,"last_seen_seconds":61}]})"),
            "NAME   ADDRESS     SEEN       POST-QUANTUM KEY  LINE            VERSION\n"
            "alice  100.71.0.1  connected  yes               X25519MLKEM768  0.1.0\n"
            "bob    100.71.0.2  1m 1s ago  -                 -               -\n"
            "\n"
            "alice: its state was copied\n");
}

TEST(ServerCommands, ErrorsOfTheServerAreErrors) {
  EXPECT_EQ(shown(Command::PeerRemove, R"({"ok":false,"error":"there is no peer x"})"),
            "error: there is no peer x");
  EXPECT_EQ(shown(Command::PeerRemove, "nonsense").substr(0, 6), "error:");
  EXPECT_EQ(shown(Command::PeerRemove, R"({"ok":false})").substr(0, 6), "error:");
}

TEST(ServerCommands, AServerThatDoesNotRunIsNamed) {
  ServerRequest request;
  request.command = Command::Status;
  request.socket = "/nonexistent/server.sock";
  const auto answer = ask_server(request);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("trellis-server"), std::string::npos);
}

}  // namespace
}  // namespace trellis::apps
