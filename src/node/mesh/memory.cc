#include "node/mesh/memory.h"

#include "protocol/control/key_text.h"

#include <nlohmann/json.hpp>

namespace trellis::mesh {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDamaged = "this is no network map of ours: remove the file";

std::optional<std::vector<std::string>> parse_lines(const Json& array) {
  if (!array.is_array() || array.size() > Memory::kContactsMax) return std::nullopt;
  std::vector<std::string> lines;
  for (const Json& line : array) {
    if (!line.is_string()) return std::nullopt;
    const auto& text = line.get_ref<const std::string&>();
    if (text.size() > Memory::kContactBytesMax) return std::nullopt;
    lines.push_back(text);
  }
  return lines;
}

Result<> parse_contacts(const Json& object, Memory& memory) {
  if (!object.is_object() || object.size() > netmap::Map::kPeersMax) return fail_with(kDamaged);
  for (const auto& [name, lines] : object.items()) {
    const auto peer = control::parse_key_text(name);
    auto parsed = parse_lines(lines);
    if (!peer || !parsed) return fail_with(kDamaged);
    memory.contacts[*peer] = *std::move(parsed);
  }
  return {};
}

}  // namespace

std::string format_memory(const Memory& memory) {
  Json contacts = Json::object();
  for (const auto& [peer, lines] : memory.contacts) contacts[control::key_text(peer)] = lines;
  const Json object = {
      {"version", Memory::kVersion},
      {"server_key",
       memory.server_key ? Json(control::key_text(*memory.server_key)) : Json(nullptr)},
      {"server_is_strict", memory.server_is_strict},
      {"map", memory.map ? Json::parse(netmap::format_map(*memory.map)) : Json(nullptr)},
      {"contacts", std::move(contacts)},
  };
  return object.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Memory> parse_memory(std::string_view text, const crypto::PublicKey& own_key) {
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return fail_with(kDamaged);
  for (const char* key : {"version", "server_key", "server_is_strict", "map", "contacts"}) {
    if (!object.contains(key)) return fail_with(kDamaged);
  }
  if (object["version"] != Memory::kVersion) {
    return fail_with("the network map was written by a newer trellisd: it is fetched again");
  }
  Memory memory;
  if (!object["server_is_strict"].is_boolean()) return fail_with(kDamaged);
  memory.server_is_strict = object["server_is_strict"].get<bool>();
  if (const Json& key = object["server_key"]; !key.is_null()) {
    if (!key.is_string()) return fail_with(kDamaged);
    memory.server_key = control::parse_key_text(key.get<std::string>());
    if (!memory.server_key) return fail_with(kDamaged);
  }
  if (const Json& map = object["map"]; !map.is_null()) {
    memory.map = TRY(netmap::parse_map(map.dump(), own_key));
  }
  TRY(parse_contacts(object["contacts"], memory));
  return memory;
}

}  // namespace trellis::mesh
