#include "node/agent/control.h"

#include "node/agent/status_json.h"

namespace trellis::agent {
namespace {

Reply refuse(std::string why) { return {refusal(std::move(why))}; }

}  // namespace

std::string refusal(std::string why) { return to_line({{"ok", false}, {"error", std::move(why)}}); }

std::string status_text(const Agent& agent, TimePoint now, const HostFacts& host, int indent) {
  return status_object(agent, now, host).dump(indent, ' ', false, Json::error_handler_t::replace);
}

Reply handle_request(Agent& agent, TimePoint now, const HostFacts& host, Caller caller,
                     std::string_view request) {
  const Json object = Json::parse(request, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return refuse("the request is not a JSON object");
  const std::string command = text_field(object, "command").value_or("");
  if (command == "status") {
    return {to_line({{"ok", true}, {"status", status_object(agent, now, host)}})};
  }
  const bool changes = command == "trust" || command == "reload";
  if (!changes) return refuse("unknown command");
  if (!caller.may_change) return refuse("only root may do that: run it with sudo");
  if (command == "reload") return {to_line({{"ok", true}}), /*reload=*/true};
  const auto trusted = agent.trust(now, text_field(object, "peer").value_or(""));
  if (!trusted) return refuse(trusted.error().message);
  return {to_line({{"ok", true}})};
}

}  // namespace trellis::agent
