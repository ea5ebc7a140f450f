#include "base/result.h"

#include <gtest/gtest.h>

#include <string>

namespace trellis {
namespace {

enum class Wrong { First, Second };

Expected<int, Wrong> half(int n) {
  if (n % 2 != 0) return fail(Wrong::First);
  return n / 2;
}

Expected<void, Wrong> positive(int n) {
  if (n <= 0) return fail(Wrong::Second);
  return {};
}

Expected<std::string, Wrong> quarter(int n, int& steps) {
  TRY(positive(n));
  ++steps;
  const int once = TRY(half(n));
  ++steps;
  const int twice = TRY(half(once));
  ++steps;
  return std::to_string(twice);
}

TEST(Try, GoesOnWithTheValue) {
  int steps = 0;
  EXPECT_EQ(quarter(12, steps), "3");
  EXPECT_EQ(steps, 3);
}

TEST(Try, ReturnsTheFirstErrorAndDoesNoMore) {
  int steps = 0;
  EXPECT_EQ(quarter(-4, steps), fail(Wrong::Second));
  EXPECT_EQ(steps, 0);
  EXPECT_EQ(quarter(5, steps), fail(Wrong::First));
  EXPECT_EQ(steps, 1);
  EXPECT_EQ(quarter(6, steps), fail(Wrong::First));
  EXPECT_EQ(steps, 3);
}

struct MoveOnly {
  explicit MoveOnly(int n) : value(n) {}
  MoveOnly(MoveOnly&&) = default;
  MoveOnly& operator=(MoveOnly&&) = default;
  MoveOnly(const MoveOnly&) = delete;
  MoveOnly& operator=(const MoveOnly&) = delete;
  ~MoveOnly() = default;
  int value;
};

TEST(Try, MovesWhatCannotBeCopied) {
  const auto made = []() -> Result<MoveOnly> {
    auto made_before = TRY(Result<MoveOnly>(MoveOnly(7)));
    ++made_before.value;
    return made_before;
  }();
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->value, 8);
}

TEST(Error, CollectsContextInFront) {
  const auto read = []() -> Result<> { return fail_with("no such file"); };
  const auto start = [&]() -> Result<int> {
    auto result = read();
    if (!result) return fail(std::move(result).error().within("reading peers.toml"));
    return 1;
  };
  const auto result = start();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "reading peers.toml: no such file");
}

TEST(CheckDeathTest, SaysWhatDidNotHoldAndWhere) {
  const int two = 2;
  CHECK(two == 2);
  EXPECT_DEATH(CHECK(two == 3), "result_test.cc:[0-9]+: CHECK\\(two == 3\\) failed");
}

}  // namespace
}  // namespace trellis
