#include "apps/rosenpass/commands.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass_program {
namespace {

using Command = Request::Command;

TEST(Request, IsReadFromTheWordsOfRosenpass) {
  const auto of = [](const std::vector<std::string>& words) {
    auto request = parse_request(words);
    EXPECT_TRUE(request) << request.error().message;
    return request ? *request : Request{};
  };
  EXPECT_EQ(of({"--help"}).command, Command::Help);
  EXPECT_EQ(of({"-V"}).command, Command::Version);
  EXPECT_EQ(of({"help", "exchange"}).topic, "exchange");
  EXPECT_EQ(of({"exchange", "--help"}).topic, "exchange");
  EXPECT_EQ(of({"man"}).command, Command::Man);

  const Request config = of({"-v", "exchange-config", "f"});
  EXPECT_EQ(config.command, Command::ExchangeConfig);
  EXPECT_EQ(config.words, std::vector<std::string>{"f"});
  EXPECT_EQ(config.log_level, "info");

  const Request exchange = of({"exchange", "-c", "f", "public-key", "p", "-x", "--help"});
  EXPECT_EQ(exchange.config_file, "f");
  EXPECT_EQ(exchange.words, (std::vector<std::string>{"public-key", "p", "-x", "--help"}));

  const Request keys = of({"gen-keys", "-p", "p", "--secret-key=s", "--format", "go", "-f"});
  EXPECT_EQ(keys.command, Command::GenKeys);
  EXPECT_EQ(keys.public_key, "p");
  EXPECT_EQ(keys.secret_key, "s");
  EXPECT_EQ(keys.form, SecretForm::Go);
  EXPECT_TRUE(keys.force);
  EXPECT_FALSE(of({"gen-keys", "f"}).force);

  EXPECT_EQ(of({"--max-load", "50", "man"}).max_load, 50);
  const Request old = of({"keygen", "private-key", "s", "public-key", "p"});
  EXPECT_EQ(old.command, Command::GenKeys);
  EXPECT_EQ(old.secret_key, "s");

  EXPECT_EQ(of({"rp", "genkey", "d"}).command, Command::RpGenkey);
  EXPECT_EQ(of({"rp", "pubkey", "d", "e"}).command, Command::RpPubkey);
  const Request tunnel = of({"rp", "verbose", "exchange", "d", "dev", "x"});
  EXPECT_EQ(tunnel.command, Command::RpExchange);
  EXPECT_EQ(tunnel.log_level, "info");
  EXPECT_EQ(tunnel.words, (std::vector<std::string>{"d", "dev", "x"}));
}

TEST(Request, IsRefusedWithAWordAboutHelp) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"frob"},
                                                {"--frob"},
                                                {"exchange"},
                                                {"exchange-config"},
                                                {"gen-config", "a", "b"},
                                                {"gen-keys", "--frob"},
                                                {"gen-keys", "-p"},
                                                {"gen-keys", "--format", "c"},
                                                {"validate"},
                                                {"rp", "frob"},
                                                {"rp", "genkey"},
                                                {"keygen", "frob", "x"},
                                                {"--max-load", "0", "man"},
                                                {"--max-load", "x", "man"}}) {
    const auto request = parse_request(words);
    ASSERT_FALSE(request) << (words.empty() ? "" : words[0]);
    EXPECT_NE(request.error().message.find("trellis-rosenpass help"), std::string::npos);
  }
}

TEST(Help, IsThereForEveryCommand) {
  for (const char* topic :
       {"exchange-config", "exchange", "gen-config", "gen-keys", "validate", "rp", "man", "help"}) {
    EXPECT_NE(help_text(topic), help_text("")) << topic;
    EXPECT_NE(help_text("").find(topic), std::string::npos) << topic;
  }
}

}  // namespace
}  // namespace trellis::rosenpass_program
