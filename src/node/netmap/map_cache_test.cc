#include "node/netmap/map_test.h"

#include <gmock/gmock.h>

#include <utility>

namespace trellis::netmap {
namespace {

using testing::HasSubstr;

TEST(MapCache, GivesBackWhatWasWritten) {
  auto wire = wire_map(20);
  wire.mutable_remote_peers(3)->clear_trellis_key_name();
  wire.mutable_remote_peers(4)->mutable_allowed_ips()->RemoveLast();
  wire.mutable_remote_peers(5)->clear_wg_key();
  wire.mutable_remote_peers(6)->clear_agent_version();
  wire.set_serial(~std::uint64_t{0});
  const Map map = *read(wire);
  EXPECT_FALSE(map.rejected.empty());
  const auto again = parse_map(format_map(map), key_of(1));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, map);
  EXPECT_EQ(format_map(*again), format_map(map));
}

TEST(MapCache, TakesUpdatesWhereItsMapDid) {
  const Map map = *parse_map(format_map(*read(wire_map(3))), key_of(1));
  wire::management::TrellisUpdate update;
  update.set_base_serial(1000);
  update.set_serial(1001);
  *update.add_changed() = wire_peer(4);
  EXPECT_EQ(names_of(*apply_update(map, update, key_of(1))), "h2 h3 h4");
}

/// The text with the first `what` replaced.
std::string with(std::string text, std::string_view what, std::string_view replacement) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  if (at != std::string::npos) text.replace(at, what.size(), replacement);
  return text;
}

TEST(MapCache, RefusesAllButAWholeMap) {
  const std::string text = format_map(*read(wire_map(3)));
  const std::pair<std::string, const char*> cases[] = {
      {"", "JSON"},
      {"[]", "JSON"},
      {text.substr(0, text.size() / 2), "JSON"},
      {"{}", "no version"},
      {with(text, "\"version\": 1", "\"version\": 2"), "unknown format 2"},
      {with(text, "\"version\": 1", "\"version\": \"1\""), "no version"},
      {with(text, "\"serial\": 1000", "\"serial\": -1"), "serial"},
      {with(text, "\"serial\": 1000", "\"serial\": 1e3"), "serial"},
      {with(text, "\"serial\"", "\"cereal\""), "does not know"},
      {with(text, "\"alice\"", "\"Alice\""), "lower case"},
      {with(text, "\"alice\"", "\"a b\""), "no valid name"},
      {with(text, "\"alice\"", "\"h2\""), "our own name"},
      {with(text, "100.92.0.1/16", "0.0.0.0/0"), "100.64.0.0/10"},
      {with(text, "100.92.0.1/16", "100.93.0.1/16"), "outside of the network"},
      {with(text, "\"100.92.0.2\"", "\"0.0.0.0/0\""), "invalid address"},
      {with(text, "\"100.92.0.2\"", "2"), "invalid address"},
      {with(text, "\"100.92.0.2\"", "\"100.92.0.3\""), "another peer has it"},
      {with(text, "\"100.92.0.2\"", "\"10.0.0.1\""), "outside"},
      {with(text, "\"h2\"", "\"h3\""), "another peer has its name"},
      {with(text, "1:0202", "1:02"), "rosenpass_key"},
      {with(text, "1:0202", "9:0202"), "rosenpass_key"},
      {with(text, "\"rosenpass_key\"", "\"rosenpas_key\""), "is not one"},
      {with(text, to_base64(key_of(2).bytes), to_base64(key_of(3).bytes)), "another peer"},
      {with(text, to_base64(key_of(2).bytes), to_base64(key_of(1).bytes)), "our own"},
      {with(text, to_base64(key_of(2).bytes), "x"), "wireguard_key"},
      {with(text, "\"rejected\": []", "\"rejected\": [\"\\u001b[2J\"]"), "no text"},
      {with(text, "\"rejected\": []", "\"rejected\": [1]"), "no text"},
      {with(text, "\"rejected\": []", "\"rejected\": {}"), "rejected"},
      {with(text, "\"rules_enforced\": true", "\"rules_enforced\": 1"), "rules_enforced"},
      {std::string(17 << 20, ' '), "too long"},
  };
  for (const auto& [damaged, error] : cases) {
    SCOPED_TRACE(error);
    const auto map = parse_map(damaged, key_of(1));
    ASSERT_FALSE(map);
    EXPECT_THAT(map.error().message, HasSubstr(error));
  }
  const std::string twin =
      with(text, "1:" + to_hex(key_of(2).bytes), "1:" + to_hex(key_of(3).bytes));
  EXPECT_FALSE(parse_map(twin, key_of(1)));
}

}  // namespace
}  // namespace trellis::netmap
