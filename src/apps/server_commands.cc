#include "apps/server_commands.h"

#include "apps/answer.h"
#include "apps/humanise.h"
#include "base/time.h"
#include "system/ipc.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace trellis::apps {
namespace {

using Command = ServerRequest::Command;
using Rows = std::vector<std::vector<std::string>>;

constexpr Duration kAnswerTime = 10s;
constexpr const char* kNothing = "-";

std::string or_nothing(const std::string& text) { return text.empty() ? kNothing : text; }

const char* command_text(Command command) {
  switch (command) {
    case Command::Status:
      return "status";
    case Command::SetupKeyCreate:
      return "setup-key create";
    case Command::SetupKeyList:
      return "setup-key list";
    case Command::SetupKeyRevoke:
      return "setup-key revoke";
    case Command::PeerList:
      return "peer list";
    case Command::PeerRemove:
      return "peer remove";
    case Command::PeerRename:
      return "peer rename";
    case Command::PeerTrust:
      return "peer trust";
    case Command::None:
      break;
  }
  CHECK(false);
  return "";
}

std::string ago(const JsonValue& object, const char* key, const char* without) {
  const auto seconds = number_of(object, key);
  return seconds ? human_seconds(*seconds) + " ago" : without;
}

// ---- setup keys ------------------------------------------------------------------------------

std::string join_command(const JsonValue& answer) {
  return fmt::format("echo {} | trellis up --server '{}' --setup-key-file -",
                     text_of(answer, "setup_key"), text_of(answer, "server"));
}

std::string created_text(const ServerRequest& request, const JsonValue& answer) {
  std::string kind = "one machine";
  if (request.reusable) kind = "any number of machines";
  if (request.limit) kind = fmt::format("{} machines at most", *request.limit);
  std::string text = fmt::format("Setup key {} admits {}", text_of(answer, "id"), kind);
  if (request.expires_seconds) {
    text += ", for " + human_seconds(static_cast<double>(*request.expires_seconds));
  }
  if (request.ephemeral) text += ", as guests that are removed when they are away";
  return text + ". It is shown only now. On the machine, as root:\n\n  " + join_command(answer) +
         "\n";
}

std::string uses_cell(const JsonValue& key) {
  const std::uint64_t used = count_of(key, "used");
  if (!flag_of(key, "reusable")) return fmt::format("{} of 1", used);
  const std::uint64_t limit = count_of(key, "limit");
  return limit == 0 ? fmt::format("{}", used) : fmt::format("{} of {}", used, limit);
}

std::string setup_key_table(const JsonValue& answer) {
  Rows rows = {{"ID", "NAME", "STATE", "USED", "EXPIRES", "CREATED"}};
  for (const JsonValue& key : list_of(answer, "setup_keys")) {
    if (!key.is_object()) continue;
    const auto left = number_of(key, "expires_seconds");
    std::string expires = "never";
    if (left) expires = *left > 0 ? "in " + human_seconds(*left) : "passed";
    std::string state = or_nothing(text_of(key, "state"));
    if (flag_of(key, "ephemeral")) state += ", ephemeral";
    rows.push_back({text_of(key, "id"), or_nothing(text_of(key, "name")), state, uses_cell(key),
                    expires, ago(key, "created_seconds", kNothing)});
  }
  return rows.size() == 1 ? "no setup keys: `trellis server setup-key create` makes one\n"
                          : fit_columns(rows);
}

// ---- peers -----------------------------------------------------------------------------------

std::string seen_cell(const JsonValue& peer) {
  return flag_of(peer, "connected") ? "connected" : ago(peer, "last_seen_seconds", "never");
}

std::string peer_table(const JsonValue& answer) {
  Rows rows = {{"NAME", "ADDRESS", "SEEN", "POST-QUANTUM KEY", "LINE", "VERSION"}};
  std::string notes;
  for (const JsonValue& peer : list_of(answer, "peers")) {
    if (!peer.is_object()) continue;
    const auto addresses = texts_of(peer, "addresses");
    const std::string name = or_nothing(text_of(peer, "name"));
    rows.push_back({flag_of(peer, "ephemeral") ? name + " (ephemeral)" : name,
                    addresses.empty() ? kNothing : addresses.front(), seen_cell(peer),
                    or_nothing(text_of(peer, "post_quantum_key")), or_nothing(text_of(peer, "tls")),
                    or_nothing(text_of(peer, "version"))});
    for (const std::string& note : texts_of(peer, "warnings")) {
      notes += fmt::format("{}: {}\n", name, note);
    }
  }
  if (rows.size() == 1) return "no machines yet: `trellis server setup-key create` admits one\n";
  return fit_columns(rows) + (notes.empty() ? "" : "\n" + notes);
}

// ---- status ----------------------------------------------------------------------------------

std::string status_text(const JsonValue& answer) {
  const JsonValue& status = object_of(answer, "status");
  Rows rows;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) rows.push_back({name, value});
  };
  add("server", text_of(status, "server"));
  add("listens on", fmt::format("{}", fmt::join(texts_of(status, "listen"), ", ")));
  add("version", text_of(status, "version"));
  if (const auto up = number_of(status, "uptime_seconds")) add("up for", human_seconds(*up));
  add("network", fmt::format("{}", fmt::join(texts_of(status, "networks"), ", ")));
  add("domain", text_of(status, "domain"));
  add("map", fmt::format("{}", count_of(status, "serial")));
  add("machines",
      fmt::format("{}, {} connected", count_of(status, "peers"), count_of(status, "connected")));
  add("connections", fmt::format("{}", count_of(status, "connections")));
  std::string text = fit_columns(rows);
  for (const std::string& warning : texts_of(status, "warnings"))
    text += "warning: " + warning + "\n";
  return text;
}

}  // namespace

std::string server_question(const ServerRequest& request) {
  JsonValue question = {{"command", command_text(request.command)}};
  switch (request.command) {
    case Command::SetupKeyCreate:
      question["name"] = request.name;
      question["reusable"] = request.reusable;
      question["ephemeral"] = request.ephemeral;
      if (request.limit) question["limit"] = *request.limit;
      if (request.expires_seconds) question["expires_seconds"] = *request.expires_seconds;
      break;
    case Command::SetupKeyRevoke:
      question["id"] = request.id;
      break;
    case Command::PeerRename:
      question["name"] = request.new_name;
      [[fallthrough]];
    case Command::PeerRemove:
    case Command::PeerTrust:
      question["peer"] = request.peer;
      break;
    case Command::None:
    case Command::Status:
    case Command::SetupKeyList:
    case Command::PeerList:
      break;
  }
  return dump_line(question);
}

Result<std::string> server_text(const ServerRequest& request, std::string_view text) {
  JsonValue answer = JsonValue::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) {
    return fail_with(
        "trellis-server gave an answer that this version of trellis does not understand");
  }
  if (!flag_of(answer, "ok")) {
    const std::string why = text_of(answer, "error");
    return fail_with(why.empty() ? "trellis-server refused and did not say why" : why);
  }
  if (request.form == Form::Json) {
    if (request.command == Command::SetupKeyCreate) answer["join"] = join_command(answer);
    return dump(answer);
  }
  switch (request.command) {
    case Command::Status:
      return status_text(answer);
    case Command::SetupKeyCreate:
      return created_text(request, answer);
    case Command::SetupKeyList:
      return setup_key_table(answer);
    case Command::SetupKeyRevoke:
      return fmt::format("setup key {} admits nobody any more\n", request.id);
    case Command::PeerList:
      return peer_table(answer);
    case Command::PeerRemove:
      return fmt::format("{} is no longer in the network\n", request.peer);
    case Command::PeerRename:
      return fmt::format("{} is now {}\n", request.peer, request.new_name);
    case Command::PeerTrust:
      return fmt::format("{} may log in with its new Rosenpass key\n", request.peer);
    case Command::None:
      break;
  }
  CHECK(false);
  return {};
}

Result<std::string> ask_server(const ServerRequest& request) {
  if (!system::ipc_may_listen(request.socket)) {
    return fail_with(
        fmt::format("nobody listens on {}: trellis-server does not run here. Start it "
                    "by `systemctl start trellis-server`, or name its --socket",
                    request.socket));
  }
  return server_text(request,
                     TRY(system::ipc_call(request.socket, server_question(request), kAnswerTime)));
}

}  // namespace trellis::apps
