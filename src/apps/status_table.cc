#include "apps/status_table.h"

#include "apps/humanise.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <vector>

namespace trellis::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNothing = "-";

// Fields of another version of the agent may be missing or of another type: then they read as
// empty.

std::string text_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::optional<double> number_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
}

std::uint64_t count_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
}

bool flag_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

const Json& list_of(const Json& object, const char* key) {
  static const Json kEmpty = Json::array();
  const auto it = object.find(key);
  return it != object.end() && it->is_array() ? *it : kEmpty;
}

std::vector<std::string> texts_of(const Json& object, const char* key) {
  std::vector<std::string> texts;
  for (const Json& text : list_of(object, key)) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::string or_nothing(const std::string& text) { return text.empty() ? kNothing : text; }

Result<Json> parse_answer(std::string_view answer) {
  Json object = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return fail_with("trellisd gave an answer that this version of trellis does not understand");
  }
  if (flag_of(object, "ok")) return object;
  const std::string why = text_of(object, "error");
  return fail_with(why.empty() ? "trellisd refused and did not say why" : why);
}

Result<Json> parse_status(std::string_view answer) {
  Json object = TRY(parse_answer(answer));
  const auto status = object.find("status");
  if (status == object.end() || !status->is_object()) {
    return fail_with("trellisd gave an answer without a status");
  }
  return Json(std::move(*status));
}

std::string dump(const Json& object) {
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string post_quantum_cell(const Json& peer) {
  if (!flag_of(peer, "post_quantum")) {
    return text_of(peer, "protection") == "plain" ? "no: plain WireGuard" : "no: no session";
  }
  const std::uint64_t renewals = count_of(peer, "renewals");
  std::string cell = "yes: " + or_nothing(text_of(peer, "suite"));
  if (const auto age = number_of(peer, "session_key_age_seconds")) {
    cell += fmt::format(", key {} old", human_seconds(*age));
  }
  return cell + fmt::format(", {} renewal{}", renewals, renewals == 1 ? "" : "s");
}

std::string handshake_cell(const Json& peer) {
  const auto ago = number_of(peer, "latest_handshake_seconds");
  return ago ? human_seconds(*ago) + " ago" : "never";
}

/// A peer may have more addresses than fit: the others stand in rows of their own.
void add_peer_rows(std::vector<std::vector<std::string>>& rows, const Json& peer) {
  const auto addresses = texts_of(peer, "addresses");
  rows.push_back({or_nothing(text_of(peer, "name")),
                  addresses.empty() ? kNothing : addresses.front(),
                  or_nothing(text_of(peer, "endpoint")), handshake_cell(peer),
                  human_bytes(count_of(peer, "received_bytes")) + " / " +
                      human_bytes(count_of(peer, "sent_bytes")),
                  post_quantum_cell(peer)});
  for (std::size_t i = 1; i < addresses.size(); ++i) rows.push_back({"", addresses[i]});
}

std::string host_line(const Json& status) {
  std::string line = fmt::format("{} on {}", or_nothing(text_of(status, "name")),
                                 or_nothing(text_of(status, "interface")));
  for (const std::string& address : texts_of(status, "addresses")) line += ", " + address;
  return line + fmt::format(", UDP port {}, {}\n", count_of(status, "listen_port"),
                            or_nothing(text_of(status, "mode")));
}

/// The columns are fitted to all peers, then what a peer lacks is put below its rows.
std::string peer_lines(const Json& peers) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "ADDRESS", "ENDPOINT", "HANDSHAKE", "RX / TX", "POST-QUANTUM"}};
  std::vector<std::pair<std::size_t, std::string>> notes;  // behind that many rows
  for (const Json& peer : peers) {
    if (!peer.is_object()) continue;
    add_peer_rows(rows, peer);
    const std::string why_not = text_of(peer, "why_not");
    if (!why_not.empty()) notes.emplace_back(rows.size(), "  why not: " + why_not + "\n");
  }
  const std::string table = fit_columns(rows);
  std::string lines;
  std::size_t from = 0;
  std::size_t row = 0;
  for (const auto& [behind, note] : notes) {
    std::size_t to = from;
    for (; row < behind; ++row) to = table.find('\n', to) + 1;
    lines += table.substr(from, to - from) + note;
    from = to;
  }
  return lines + table.substr(from);
}

}  // namespace

Result<> check_answer(std::string_view answer) {
  TRY(parse_answer(answer));
  return {};
}

Result<std::string> status_json(std::string_view answer) { return dump(TRY(parse_status(answer))); }

Result<std::string> status_table(std::string_view answer) {
  const Json status = TRY(parse_status(answer));
  std::string text = host_line(status);
  for (const std::string& warning : texts_of(status, "warnings")) {
    text += "warning: " + warning + "\n";
  }
  text += "\n";
  const Json& peers = list_of(status, "peers");
  return text + (peers.empty() ? "no peers: list them in peers.toml, then `trellis reload`\n"
                               : peer_lines(peers));
}

Result<std::string> peers_json(std::string_view answer) {
  const Json status = TRY(parse_status(answer));
  Json result = Json::array();
  for (const Json& peer : list_of(status, "peers")) {
    if (!peer.is_object()) continue;
    result.push_back({{"name", text_of(peer, "name")},
                      {"addresses", list_of(peer, "addresses")},
                      {"post_quantum", flag_of(peer, "post_quantum")}});
  }
  return dump(result);
}

Result<std::string> peers_table(std::string_view answer) {
  const Json status = TRY(parse_status(answer));
  std::vector<std::vector<std::string>> rows = {{"NAME", "ADDRESS", "POST-QUANTUM"}};
  for (const Json& peer : list_of(status, "peers")) {
    if (!peer.is_object()) continue;
    const auto addresses = texts_of(peer, "addresses");
    rows.push_back({or_nothing(text_of(peer, "name")),
                    addresses.empty() ? kNothing : addresses.front(),
                    flag_of(peer, "post_quantum") ? "yes" : "no"});
  }
  return fit_columns(rows);
}

}  // namespace trellis::apps
