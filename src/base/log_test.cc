#include "base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trellis {
namespace {

class Log : public ::testing::Test {
 protected:
  void SetUp() override {
    lines().clear();
    log::set_sink([](log::Level level, std::string_view module, std::string_view text) {
      lines().push_back(std::string(log::name(level)) + " " + std::string(module) + " " +
                        std::string(text));
    });
    log::set_level(log::Level::info);
  }
  void TearDown() override {
    log::set_sink(nullptr);
    log::set_level(log::Level::info);
  }
  static std::vector<std::string>& lines() {
    static std::vector<std::string> lines;
    return lines;
  }
};

TEST_F(Log, WritesAtItsLevelAndAbove) {
  LOG(debug, "test", "not seen n={}", 1);
  LOG(info, "test", "seen n={}", 2);
  LOG(error, "test", "seen without fields");
  EXPECT_EQ(lines(),
            (std::vector<std::string>{"info test seen n=2", "error test seen without fields"}));
  log::set_level(log::Level::off);
  LOG(error, "test", "not seen");
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(Log, ComputesNoFieldOfALineThatIsDropped) {
  int computed = 0;
  const auto field = [&] { return ++computed; };
  LOG(trace, "test", "not seen n={}", field());
  EXPECT_EQ(computed, 0);
  LOG(warn, "test", "seen n={}", field());
  EXPECT_EQ(computed, 1);
  log::set_sink(nullptr);
  LOG(warn, "test", "nobody listens n={}", field());
  EXPECT_EQ(computed, 1);
}

TEST_F(Log, KnowsItsLevelsByName) {
  for (const auto level : {log::Level::trace, log::Level::debug, log::Level::info, log::Level::warn,
                           log::Level::error, log::Level::off}) {
    log::Level parsed{};
    EXPECT_TRUE(log::parse_level(log::name(level), parsed));
    EXPECT_EQ(parsed, level);
  }
  log::Level untouched = log::Level::warn;
  for (const std::string_view text : {"", "Info", "info ", "verbose", "2"}) {
    EXPECT_FALSE(log::parse_level(text, untouched)) << text;
  }
  EXPECT_EQ(untouched, log::Level::warn);
}

}  // namespace
}  // namespace trellis
