#include "node/agent/status_json.h"

#include "base/hex.h"

namespace trellis::agent {
namespace {

constexpr int kStatusVersion = 1;

std::string_view name_of(pair::Status::Protection protection) {
  switch (protection) {
    case pair::Status::Protection::None:
      return "none";
    case pair::Status::Protection::Plain:
      return "plain";
    case pair::Status::Protection::PostQuantum:
      return "post-quantum";
  }
  CHECK(false);
  return {};
}

Json peer_object(const pair::Pair& pair, const crypto::Suite& suite, TimePoint now) {
  const pair::Status status = pair.status(now);
  const pair::PeerConfig& config = pair.config();
  const bool post_quantum = status.protection == pair::Status::Protection::PostQuantum;
  Json addresses = Json::array();
  for (const Prefix& prefix : config.addresses) {
    const bool single = prefix.length() == prefix.address().bits();
    addresses.push_back(single ? prefix.address().to_string() : prefix.to_string());
  }
  return {
      {"name", config.name},
      {"addresses", std::move(addresses)},
      {"wireguard_key", to_base64(config.wireguard_key.bytes)},
      {"rosenpass_key", config.key_name ? Json(config.key_name->to_string()) : Json(nullptr)},
      {"endpoint", status.endpoint ? Json(status.endpoint->to_string()) : Json(nullptr)},
      {"post_quantum", post_quantum},
      {"protection", name_of(status.protection)},
      {"why_not", status.why_not.empty() ? Json(nullptr) : Json(status.why_not)},
      {"suite", post_quantum ? Json(suite.name) : Json(nullptr)},
      {"latest_handshake_seconds", seconds_or_null(status.latest_handshake)},
      {"session_age_seconds", seconds_or_null(status.session_age)},
      {"session_key_age_seconds", seconds_or_null(status.session_key_age)},
      {"current_key_age_seconds", seconds_or_null(status.current_key_age)},
      {"renewals", status.renewals},
      {"received_bytes", status.received_bytes},
      {"sent_bytes", status.sent_bytes},
  };
}

Json counters_object(const Agent& agent) {
  Json rosenpass = Json::object();
  const rosenpass::DropCounters& drops = agent.rosenpass().drops();
  for (std::size_t i = 0; i < drops.size(); ++i) {
    if (drops[i] == 0) continue;
    rosenpass[std::string(rosenpass::name(static_cast<rosenpass::Drop>(i)))] = drops[i];
  }
  Json wireguard = Json::object();
  const auto add = [&](const char* name, std::uint64_t value) {
    if (value != 0) wireguard[name] = value;
  };
  wireguard::for_each_counter(agent.wireguard().counters(), add);
  return {{"rosenpass_dropped", std::move(rosenpass)},
          {"wireguard_dropped", std::move(wireguard)},
          {"unknown_datagrams", agent.unknown_datagrams()},
          {"overlay_datagrams", agent.overlay_datagrams()}};
}

}  // namespace

Json seconds_or_null(const std::optional<Duration>& duration) {
  if (!duration) return nullptr;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
  return static_cast<double>(milliseconds.count()) / 1000.0;
}

std::string to_line(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<std::string> text_field(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string()) return std::nullopt;
  return it->get<std::string>();
}

Json status_object(const Agent& agent, TimePoint now, const HostFacts& host) {
  Json addresses = Json::array();
  for (const InterfaceAddress& address : host.addresses) addresses.push_back(address.to_string());
  Json warnings = host.warnings;
  for (std::string& notice : agent.notices()) warnings.push_back(std::move(notice));
  Json peers = Json::array();
  for (const auto& pair : agent.pairs()) peers.push_back(peer_object(*pair, agent.suite(), now));
  return {
      {"version", kStatusVersion},
      {"name", host.name},
      {"interface", host.interface},
      {"addresses", std::move(addresses)},
      {"listen_port", host.listen_port},
      {"mode", agent.mode() == pair::Mode::Strict ? "strict" : "permissive"},
      {"wireguard_key", to_base64(agent.wireguard_key().bytes)},
      {"rosenpass_key", agent.rosenpass_key().to_string()},
      {"warnings", std::move(warnings)},
      {"peers", std::move(peers)},
      {"counters", counters_object(agent)},
  };
}

}  // namespace trellis::agent
