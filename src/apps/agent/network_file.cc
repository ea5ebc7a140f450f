#include "apps/agent/network_file.h"

#include <nlohmann/json.hpp>

namespace trellis::apps {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
bool take(const Json& object, const char* key, T& target) {
  const auto it = object.find(key);
  if (it == object.end()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!it->is_string()) return false;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!it->is_boolean()) return false;
  } else {
    if (!it->is_number_unsigned() || it->template get<std::uint64_t>() > 0xffff) return false;
  }
  target = it->template get<T>();
  return true;
}

}  // namespace

std::string format_network_file(const NetworkFile& file) {
  const Json object = {
      {"version", NetworkFile::kVersion},
      {"server", file.server.to_string()},
      {"host_name", file.host_name},
      {"mode", file.mode == pair::Mode::Strict ? "strict" : "permissive"},
      {"interface", file.interface},
      {"listen_port", file.listen_port},
      {"up", file.up},
      {"registered", file.registered},
  };
  return object.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<NetworkFile> parse_network_file(std::string_view text) {
  constexpr const char* kDamaged = "this is no network.json of ours: remove it and join again";
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return fail_with(kDamaged);
  std::uint16_t version = 0;
  if (!take(object, "version", version)) return fail_with(kDamaged);
  if (version != NetworkFile::kVersion) {
    return fail_with("written by a newer trellisd: install that version again, or join again");
  }
  NetworkFile file;
  std::string server;
  std::string mode;
  if (!take(object, "server", server) || !take(object, "host_name", file.host_name) ||
      !take(object, "mode", mode) || !take(object, "interface", file.interface) ||
      !take(object, "listen_port", file.listen_port) || !take(object, "up", file.up) ||
      !take(object, "registered", file.registered)) {
    return fail_with(kDamaged);
  }
  if (mode != "strict" && mode != "permissive") return fail_with(kDamaged);
  file.mode = mode == "strict" ? pair::Mode::Strict : pair::Mode::Permissive;
  file.server = TRY(control::JoinLine::parse(server));
  return file;
}

}  // namespace trellis::apps
