#include "node/agent/state.h"

#include <gmock/gmock.h>

namespace trellis::agent {
namespace {

using testing::HasSubstr;

State sample() {
  State state;
  state.timestamps_reserved.nanoseconds_since_epoch = 1'763'700'000'000'000'001;
  crypto::PublicKey peer;
  peer.bytes[0] = std::byte{7};
  pair::KeyName name;
  name.suite = 1;
  name.pid.bytes[31] = std::byte{9};
  state.pins.restore(peer, {name, "bob"});
  return state;
}

TEST(State, ComesBackAsItWasWritten) {
  const State state = sample();
  const auto again = parse_state(format_state(state));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->timestamps_reserved, state.timestamps_reserved);
  EXPECT_EQ(again->pins.all(), state.pins.all());
}

TEST(State, OfANewerFormatIsRefusedByNameOfTheFormat) {
  const auto state = parse_state(R"({"version": 2, "anything": []})");
  ASSERT_FALSE(state);
  EXPECT_THAT(state.error().message, HasSubstr("format 2, newer"));
}

TEST(State, ThatIsDamagedIsAnErrorAndNeverAnEmptyState) {
  const std::string whole = format_state(sample());
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    EXPECT_FALSE(parse_state(std::string_view(whole).substr(0, size))) << size;
  }
  const char* cases[] = {
      "[]",
      "null",
      R"({"version": "1"})",
      R"({"version": 0, "timestamps_reserved": 1, "pins": []})",
      R"({"version": 1, "timestamps_reserved": 1.5, "pins": []})",
      R"({"version": 1, "timestamps_reserved": 1})",
      R"({"version": 1, "timestamps_reserved": 9223372036854775807, "pins": []})",
      R"({"version": 1, "timestamps_reserved": 18446744073709551615, "pins": []})",
      R"({"version": 1, "timestamps_reserved": -1, "pins": []})",
      R"({"version": 1, "timestamps_reserved": 1, "pins": [1]})",
      R"({"version": 1, "timestamps_reserved": 1, "pins": [{"wireguard_key": "AAAA"}]})",
  };
  for (const char* text : cases) EXPECT_FALSE(parse_state(text)) << text;
}

}  // namespace
}  // namespace trellis::agent
