#include "server/gateway/administration.h"

#include "protocol/control/key_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace trellis::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kNameMax = 100;
constexpr std::size_t kSetupKeysMax = 100'000;
constexpr std::int64_t kLifetimeMax = 100LL * 366 * 24 * 3600;

std::string to_line(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

std::string refuse(const std::string& why) { return to_line({{"ok", false}, {"error", why}}); }

std::string done(const Result<>& result) {
  return result ? to_line({{"ok", true}}) : refuse(result.error().message);
}

// ---- fields of requests ----------------------------------------------------------------------

Result<std::string> text_of(const Json& request, const char* name) {
  const auto it = request.find(name);
  if (it == request.end()) return std::string();
  if (!it->is_string()) return fail_with(std::string(name) + " is not a text");
  return it->get<std::string>();
}

Result<std::string> needed_text(const Json& request, const char* name) {
  std::string text = TRY(text_of(request, name));
  if (text.empty()) return fail_with("the request lacks " + std::string(name));
  return text;
}

Result<bool> flag_of(const Json& request, const char* name) {
  const auto it = request.find(name);
  if (it == request.end()) return false;
  if (!it->is_boolean()) return fail_with(std::string(name) + " is neither true nor false");
  return it->get<bool>();
}

/// 1 to `max`; nothing if it is absent.
Result<std::optional<std::int64_t>> count_of(const Json& request, const char* name,
                                             std::int64_t max) {
  const auto it = request.find(name);
  if (it == request.end() || it->is_null()) return std::optional<std::int64_t>();
  const bool fits = it->is_number_unsigned() && it->get<std::uint64_t>() >= 1 &&
                    it->get<std::uint64_t>() <= static_cast<std::uint64_t>(max);
  if (!fits) {
    return fail_with(std::string(name) + " is not a number from 1 to " + std::to_string(max));
  }
  return std::optional(it->get<std::int64_t>());
}

// ---- setup keys ------------------------------------------------------------------------------

std::int64_t seconds_between(WallTime from, WallTime to) {
  return (to.nanoseconds_since_epoch - from.nanoseconds_since_epoch) / 1'000'000'000;
}

Result<SetupKeyOrder> read_order(const Json& request) {
  SetupKeyOrder order;
  order.name = TRY(text_of(request, "name"));
  const bool printable = std::all_of(order.name.begin(), order.name.end(),
                                     [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  if (order.name.size() > kNameMax || !printable) {
    return fail_with("the name of a setup key has at most 100 characters, all printable");
  }
  order.reusable = TRY(flag_of(request, "reusable"));
  order.ephemeral = TRY(flag_of(request, "ephemeral"));
  const auto limit = TRY(count_of(request, "limit", 1'000'000));
  if (limit && !order.reusable) {
    return fail_with("a limit is of a reusable setup key; the others admit one machine");
  }
  order.usage_limit = static_cast<std::uint32_t>(limit.value_or(0));
  if (const auto lifetime = TRY(count_of(request, "expires_seconds", kLifetimeMax))) {
    order.lifetime = std::chrono::seconds(*lifetime);
  }
  return order;
}

Result<std::string> create(Management& management, const Json& request) {
  const SetupKeyOrder order = TRY(read_order(request));
  if (management.roster().setup_keys().size() >= kSetupKeysMax) {
    return fail_with("there are too many setup keys");
  }
  const auto made = TRY(management.create_setup_key(order));
  return to_line({{"ok", true}, {"id", made.id}, {"setup_key", std::string(made.key.text())}});
}

Json setup_keys_of(const Management& management) {
  Json list = Json::array();
  const WallTime now = management.wall();
  for (const auto& [id, key] : management.roster().setup_keys()) {
    const auto refusal = Roster::refusal_of(key, now);
    Json entry = {{"id", id},
                  {"name", key.name},
                  {"state", refusal ? to_string(*refusal) : "valid"},
                  {"reusable", key.reusable},
                  {"ephemeral", key.ephemeral},
                  {"used", key.used},
                  {"created_seconds", seconds_between(key.created, now)}};
    if (key.reusable && key.usage_limit != 0) entry["limit"] = key.usage_limit;
    if (key.expires) entry["expires_seconds"] = seconds_between(now, *key.expires);
    list.push_back(std::move(entry));
  }
  return list;
}

// ---- machines --------------------------------------------------------------------------------

Json warnings_of(const Gateway::State& state, const PeerRecord& peer) {
  Json warnings = Json::array();
  if (peer.asked_key) {
    warnings.push_back(
        "it came with another Rosenpass key than the one it joined with, and was refused; if that "
        "is meant: trellis server peer trust " +
        peer.name);
  }
  if (const auto* conflict = state.management_.conflict(peer.key)) {
    warnings.push_back("its keys were also used from " + conflict->source + ", " +
                       std::to_string(seconds_between(conflict->at, state.management_.wall())) +
                       " s ago, and refused: its state was copied to another machine");
  }
  const auto call = state.management_.stream_of(peer.key);
  const Connection* connection = call ? state.find(call->connection) : nullptr;
  if (connection && !connection->session.post_quantum) {
    warnings.push_back("its connection to the server has no post-quantum key exchange");
  }
  return warnings;
}

Json peers_of(const Gateway::State& state) {
  Json list = Json::array();
  std::vector<const PeerRecord*> peers;
  for (const auto& [key, peer] : state.roster_.peers()) peers.push_back(&peer);
  std::sort(peers.begin(), peers.end(),
            [](const PeerRecord* a, const PeerRecord* b) { return a->name < b->name; });
  for (const PeerRecord* peer : peers) {
    const auto call = state.management_.stream_of(peer->key);
    const Connection* connection = call ? state.find(call->connection) : nullptr;
    const WallTime now = state.management_.wall();
    Json entry = {{"name", peer->name},
                  {"addresses", {peer->v4.to_string(), peer->v6.to_string()}},
                  {"wireguard_key", control::key_text(peer->key)},
                  {"connected", connection != nullptr},
                  {"last_seen_seconds", connection ? 0 : seconds_between(peer->last_seen, now)},
                  {"created_seconds", seconds_between(peer->created, now)},
                  {"ephemeral", peer->ephemeral},
                  {"setup_key", peer->setup_key},
                  {"host_name", peer->host_name},
                  {"system", peer->system},
                  {"version", peer->version},
                  {"post_quantum_key", !peer->key_name      ? "none"
                                       : peer->key_complete ? "here"
                                                            : "not uploaded yet"},
                  {"warnings", warnings_of(state, *peer)}};
    if (peer->key_name) entry["rosenpass_key"] = control::key_name_text(*peer->key_name);
    if (connection) {
      entry["source"] = connection->session.source.to_string();
      entry["tls"] = connection->session.transport;
    }
    list.push_back(std::move(entry));
  }
  return list;
}

// ---- the server ------------------------------------------------------------------------------

Json status_of(const Gateway::State& state, TimePoint now) {
  const NetworkRecord& network = state.roster_.network();
  return {{"networks", {network.v4.to_string(), network.v6.to_string()}},
          {"domain", network.domain},
          {"serial", state.roster_.serial()},
          {"uptime_seconds",
           std::chrono::duration_cast<std::chrono::seconds>(now - state.started_).count()},
          {"peers", state.roster_.peers().size()},
          {"connected", state.management_.streams()},
          {"setup_keys", state.roster_.setup_keys().size()},
          {"connections", state.connections_.size()},
          {"connections_total", state.counters_.connections},
          {"connections_refused", state.counters_.refused},
          {"calls_total", state.counters_.calls},
          {"signal_registered", state.signal_.registered()},
          {"signal_forwarded", state.signal_.counters().forwarded},
          {"signal_dropped", state.signal_.counters().dropped},
          {"signal_too_many", state.signal_.counters().too_many},
          {"requests_refused", state.management_.channels().refused()},
          {"warnings", Json::array()}};
}

Result<std::string> look(const Gateway::State& state, TimePoint now, const std::string& command) {
  if (command == "status") return to_line({{"ok", true}, {"status", status_of(state, now)}});
  if (command == "setup-key list") {
    return to_line({{"ok", true}, {"setup_keys", setup_keys_of(state.management_)}});
  }
  if (command == "peer list") return to_line({{"ok", true}, {"peers", peers_of(state)}});
  return std::string();
}

Result<std::string> change(Gateway::State& state, TimePoint now, const std::string& command,
                           const Json& request) {
  Management& management = state.management_;
  if (command == "setup-key create") return create(management, request);
  if (command == "setup-key revoke") {
    return done(management.revoke_setup_key(TRY(needed_text(request, "id"))));
  }
  if (command == "peer remove") {
    return done(management.remove_peer(now, TRY(needed_text(request, "peer"))));
  }
  if (command == "peer rename") {
    const std::string peer = TRY(needed_text(request, "peer"));
    return done(management.rename_peer(peer, TRY(needed_text(request, "name"))));
  }
  if (command == "peer trust") {
    return done(management.trust_peer(TRY(needed_text(request, "peer"))));
  }
  return fail_with("unknown command");
}

}  // namespace

std::string administer(Gateway::State& state, TimePoint now, bool may_change,
                       std::string_view request_text) {
  const Json request = Json::parse(request_text, nullptr, /*allow_exceptions=*/false);
  if (!request.is_object()) return refuse("the request is not a JSON object");
  const auto command = needed_text(request, "command");
  if (!command) return refuse(command.error().message);
  auto answer = look(state, now, *command);
  if (answer && answer->empty()) {
    if (!may_change) return refuse("only root may do that: run it with sudo");
    answer = change(state, now, *command, request);
  }
  return answer ? *answer : refuse(answer.error().message);
}

}  // namespace trellis::server
