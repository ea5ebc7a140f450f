#include "node/agent/state.h"

#include "base/hex.h"

#include <nlohmann/json.hpp>

namespace trellis::agent {
namespace {

using nlohmann::json;

/// Nanoseconds since 1970, in the year 2223: a later mark would leave no room to count on.
constexpr double kLatestMark = 8e18;

Result<> parse_pin(const json& entry, pair::Pins& pins) {
  if (!entry.is_object()) return fail_with("a pin is not an object");
  const auto text = [&](const char* key) {
    const auto it = entry.find(key);
    return it != entry.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  const auto peer = array_from_base64<32>(text("wireguard_key"));
  const auto key = pair::KeyName::parse(text("rosenpass_key"));
  if (!peer || !key) return fail_with("a pin has no valid wireguard_key and rosenpass_key");
  const crypto::PublicKey public_key{*peer};
  if (pins.find(public_key)) return fail_with("two pins name one wireguard_key");
  pins.restore(public_key, {*key, text("peer")});
  return {};
}

}  // namespace

std::string format_state(const State& state) {
  json pins = json::array();
  for (const auto& [peer, pin] : state.pins.all()) {
    pins.push_back({{"wireguard_key", to_base64(peer.bytes)},
                    {"rosenpass_key", pin.key.to_string()},
                    {"peer", pin.peer}});
  }
  const json document = {{"version", State::kVersion},
                         {"timestamps_reserved", state.timestamps_reserved.nanoseconds_since_epoch},
                         {"pins", std::move(pins)}};
  return document.dump(2) + "\n";
}

Result<State> parse_state(std::string_view text) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return fail_with("is not a JSON object: it is damaged or cut short");
  const auto version = document.find("version");
  if (version == document.end() || !version->is_number_integer()) {
    return fail_with("has no version");
  }
  if (version->get<std::int64_t>() > State::kVersion) {
    return fail_with("is of format " + version->dump() + ", newer than this program's " +
                     std::to_string(State::kVersion) + ": install the newer trellisd again");
  }
  if (version->get<std::int64_t>() != State::kVersion) {
    return fail_with("is of the unknown format " + version->dump());
  }
  const auto reserved = document.find("timestamps_reserved");
  const auto pins = document.find("pins");
  if (reserved == document.end() || !reserved->is_number_integer() || pins == document.end() ||
      !pins->is_array()) {
    return fail_with("lacks timestamps_reserved or pins");
  }
  // As a double: an integer of JSON may be larger than any of ours.
  const auto mark = reserved->get<double>();
  if (mark < 0 || mark > kLatestMark) return fail_with("has timestamps_reserved that are no time");
  State state;
  state.timestamps_reserved.nanoseconds_since_epoch = reserved->get<std::int64_t>();
  for (const json& entry : *pins) TRY(parse_pin(entry, state.pins));
  return state;
}

}  // namespace trellis::agent
