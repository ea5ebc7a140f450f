#include "node/mesh/control.h"

#include "protocol/control/key_text.h"

namespace trellis::mesh {
namespace {

using agent::Json;

constexpr std::array<const char*, Steps::kCount> kStepNames = {"keys", "connect", "login",
                                                               "network map"};

Json seconds(Duration duration) { return agent::seconds_or_null(duration); }

Json step_object(std::size_t step, const Steps::State& state, TimePoint now, bool failed) {
  const TimePoint end = state.done.value_or(now);
  const auto taken = std::chrono::duration_cast<std::chrono::microseconds>(end - *state.begun);
  return {{"name", kStepNames[step]},
          {"state", state.done ? "done"
                    : failed   ? "failed"
                               : "running"},
          {"milliseconds", static_cast<double>(taken.count()) / 1000.0}};
}

Json steps_array(const Steps& steps, TimePoint now, bool failed) {
  Json array = Json::array();
  for (std::size_t i = 0; i < Steps::kCount; ++i) {
    if (steps.states[i].begun) array.push_back(step_object(i, steps.states[i], now, failed));
  }
  return array;
}

/// One word for people and programs.
std::string_view state_of(const Node& node, const uplink::Status& line) {
  switch (line.server) {
    case uplink::LineState::Waiting:
    case uplink::LineState::Connecting:
      return node.map() ? "offline" : "connecting";
    case uplink::LineState::LoggingIn:
      return "logging in";
    case uplink::LineState::Up:
      return line.synced ? "up" : "syncing";
    case uplink::LineState::Refused:
      return "refused";
    case uplink::LineState::LoggedOut:
      return "logging out";
  }
  CHECK(false);
  return {};
}

Json server_object(const uplink::Status& line, TimePoint now, const Facts& facts) {
  return {
      {"url", facts.server},
      {"state", uplink::to_string(line.server)},
      {"since_seconds", seconds(now - line.server_since)},
      {"error", line.server_error.empty() ? Json(nullptr) : Json(line.server_error)},
      {"tls", facts.tls.empty() ? Json(nullptr) : Json(facts.tls)},
      {"next_try_seconds",
       line.next_try ? seconds(std::max(*line.next_try - now, Duration{})) : Json(nullptr)},
  };
}

Json transfers_object(const uplink::Status& line) {
  const auto object_of = [](const uplink::Transfer& transfer) -> Json {
    return {{"key", transfer.name.to_string()},
            {"bytes", transfer.bytes},
            {"total", transfer.total},
            {"error", transfer.error.empty() ? Json(nullptr) : Json(transfer.error)}};
  };
  Json fetches = Json::array();
  for (const uplink::Transfer& transfer : line.fetches) fetches.push_back(object_of(transfer));
  return {{"upload", line.upload ? object_of(*line.upload) : Json(nullptr)},
          {"fetches", std::move(fetches)}};
}

Json network_object(const Node& node, TimePoint now, const Facts& facts) {
  const uplink::Status line = node.uplink().status();
  const bool refused = line.server == uplink::LineState::Refused;
  Json object = {
      {"state", state_of(node, line)},
      {"server", server_object(line, now, facts)},
      {"signal",
       {{"state", uplink::to_string(line.signal)},
        {"error", line.signal_error.empty() ? Json(nullptr) : Json(line.signal_error)}}},
      {"serial", line.serial},
      {"name", node.map() ? Json(node.map()->name) : Json(nullptr)},
      {"domain", node.map() ? Json(node.map()->domain) : Json(nullptr)},
      {"steps", steps_array(facts.steps, now, refused)},
      {"error", nullptr},
      {"keys", transfers_object(line)},
      {"key_bytes_sent", line.counters.key_bytes_sent},
      {"key_bytes_received", line.counters.key_bytes_received},
  };
  if (refused && node.refused()) object["error"] = node.refused()->message;
  return object;
}

Json path_object(const Neighbour* neighbour) {
  if (!neighbour || !neighbour->wanted() || !neighbour->link->path()) {
    return {{"kind", nullptr}, {"address", nullptr}, {"rtt_milliseconds", nullptr}};
  }
  const link::PathStatus status = neighbour->link->status();
  Json rtt = nullptr;
  if (status.rtt) {
    rtt = static_cast<double>(
              std::chrono::duration_cast<std::chrono::microseconds>(*status.rtt).count()) /
          1000.0;
  }
  return {{"kind", status.kind},
          {"address", neighbour->link->path()->to_string()},
          {"rtt_milliseconds", std::move(rtt)}};
}

}  // namespace

void Steps::end(Step step, TimePoint now) {
  if (states[step].begun && !states[step].done) states[step].done = now;
}

agent::Json status_object(const Node& node, TimePoint now, const Facts& facts) {
  agent::HostFacts host = facts.host;
  for (std::string& notice : node.notices()) host.warnings.push_back(std::move(notice));
  Json status = agent::status_object(node.agent(), now, host);
  status["network"] = network_object(node, now, facts);
  Json& peers = status["peers"];
  const auto& pairs = node.agent().pairs();
  CHECK(peers.size() == pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const pair::PeerConfig& config = pairs[i]->config();
    peers[i]["path"] = path_object(node.find(config.wireguard_key));
    peers[i]["fqdn"] = node.map() ? Json(config.name + "." + node.map()->domain) : Json(nullptr);
  }
  status["counters"]["stray_stun"] = node.stray_stun();
  return status;
}

agent::Json status_of_nobody(const std::string& server) {
  return {
      {"version", 1},
      {"network",
       {{"state", "down"}, {"server", {{"url", server.empty() ? Json(nullptr) : Json(server)}}}}},
      {"warnings", Json::array()},
      {"peers", Json::array()}};
}

}  // namespace trellis::mesh
