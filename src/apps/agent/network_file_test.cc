#include "apps/agent/network_file.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace trellis::apps {
namespace {

using Json = nlohmann::ordered_json;

NetworkFile example() {
  NetworkFile file;
  file.server =
      *control::JoinLine::parse("https://vpn.example.org:8443#sha256:" + std::string(64, 'a'));
  file.host_name = "alice";
  file.mode = pair::Mode::Permissive;
  file.interface = "mesh7";
  file.listen_port = 0;
  file.up = false;
  file.registered = true;
  return file;
}

TEST(NetworkFile, IsReadAsItWasWritten) {
  const std::string text = format_network_file(example());
  const auto read = parse_network_file(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(format_network_file(*read), text);
  EXPECT_EQ(read->server, example().server);
  EXPECT_EQ(read->host_name, "alice");
  EXPECT_EQ(read->mode, pair::Mode::Permissive);
  EXPECT_EQ(read->interface, "mesh7");
  EXPECT_EQ(read->listen_port, 0);
  EXPECT_FALSE(read->up);
  EXPECT_TRUE(read->registered);
}

TEST(NetworkFile, OfAnotherFormIsRefusedFieldByField) {
  struct Case {
    const char* field;
    Json value;
  };
  const Case cases[] = {
      {"version", 0},
      {"version", "1"},
      {"server", ""},
      {"server", 7},
      {"server", "ftp://x"},
      {"host_name", nullptr},
      {"mode", "lenient"},
      {"mode", true},
      {"interface", 1},
      {"listen_port", 65536},
      {"listen_port", -1},
      {"listen_port", "51820"},
      {"up", 1},
      {"registered", "yes"},
  };
  const Json good = Json::parse(format_network_file(example()));
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.field) + " = " + c.value.dump());
    Json bad = good;
    bad[c.field] = c.value;
    const auto read = parse_network_file(bad.dump());
    ASSERT_FALSE(read);
    EXPECT_FALSE(read.error().message.empty());
    bad.erase(c.field);
    EXPECT_FALSE(parse_network_file(bad.dump())) << "without it";
  }
}

TEST(NetworkFile, CutAnywhereIsRefused) {
  const std::string text = format_network_file(example());
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {
    EXPECT_FALSE(parse_network_file(std::string_view(text).substr(0, size))) << size;
  }
}

TEST(NetworkFile, OfANewerVersionSaysSo) {
  Json newer = Json::parse(format_network_file(example()));
  newer["version"] = 2;
  const auto read = parse_network_file(newer.dump());
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("newer"), std::string::npos);
}

}  // namespace
}  // namespace trellis::apps
