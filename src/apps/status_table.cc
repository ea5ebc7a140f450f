#include "apps/status_table.h"

#include "apps/answer.h"
#include "apps/humanise.h"
#include "apps/network_lines.h"

#include <fmt/format.h>

#include <vector>

namespace trellis::apps {
namespace {

constexpr const char* kNothing = "-";

std::string or_nothing(const std::string& text) { return text.empty() ? kNothing : text; }

std::string post_quantum_cell(const JsonValue& peer) {
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

std::string handshake_cell(const JsonValue& peer) {
  const auto ago = number_of(peer, "latest_handshake_seconds");
  return ago ? human_seconds(*ago) + " ago" : "never";
}

/// Where a peer is reached: in a mesh by which path, else the address alone.
std::string reached_cell(const JsonValue& peer, bool in_mesh) {
  return in_mesh ? path_text(peer) : or_nothing(text_of(peer, "endpoint"));
}

/// A peer may have more addresses than fit: the others stand in rows of their own.
void add_peer_rows(std::vector<std::vector<std::string>>& rows, const JsonValue& peer,
                   bool in_mesh) {
  const auto addresses = texts_of(peer, "addresses");
  rows.push_back({or_nothing(text_of(peer, "name")),
                  addresses.empty() ? kNothing : addresses.front(), reached_cell(peer, in_mesh),
                  handshake_cell(peer),
                  human_bytes(count_of(peer, "received_bytes")) + " / " +
                      human_bytes(count_of(peer, "sent_bytes")),
                  post_quantum_cell(peer)});
  for (std::size_t i = 1; i < addresses.size(); ++i) rows.push_back({"", addresses[i]});
}

std::string host_line(const JsonValue& status) {
  const bool tunnel = !text_of(status, "interface").empty();
  if (!tunnel && is_in_mesh(status)) {
    const std::string name = text_of(status, "name");
    return name.empty() ? "" : name + "\n";
  }
  std::string line = fmt::format("{} on {}", or_nothing(text_of(status, "name")),
                                 or_nothing(text_of(status, "interface")));
  for (const std::string& address : texts_of(status, "addresses")) line += ", " + address;
  return line + fmt::format(", UDP port {}, {}\n", count_of(status, "listen_port"),
                            or_nothing(text_of(status, "mode")));
}

/// The columns are fitted to all peers, then what a peer lacks is put below its rows.
std::string peer_lines(const JsonValue& peers, bool in_mesh) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "ADDRESS", in_mesh ? "PATH" : "ENDPOINT", "HANDSHAKE", "RX / TX", "POST-QUANTUM"}};
  std::vector<std::pair<std::size_t, std::string>> notes;  // behind that many rows
  for (const JsonValue& peer : peers) {
    if (!peer.is_object()) continue;
    add_peer_rows(rows, peer, in_mesh);
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
  const JsonValue status = TRY(parse_status(answer));
  const bool in_mesh = is_in_mesh(status);
  std::string text = host_line(status) + network_lines(status);
  for (const std::string& warning : texts_of(status, "warnings")) {
    text += "warning: " + warning + "\n";
  }
  const JsonValue& peers = list_of(status, "peers");
  if (!peers.empty()) return text + "\n" + peer_lines(peers, in_mesh);
  if (!in_mesh) return text + "\nno peers: list them in peers.toml, then `trellis reload`\n";
  return is_up(status) ? text + "\nno peers yet\n" : text;
}

Result<std::string> peers_json(std::string_view answer) {
  const JsonValue status = TRY(parse_status(answer));
  JsonValue result = JsonValue::array();
  for (const JsonValue& peer : list_of(status, "peers")) {
    if (!peer.is_object()) continue;
    result.push_back({{"name", text_of(peer, "name")},
                      {"addresses", list_of(peer, "addresses")},
                      {"post_quantum", flag_of(peer, "post_quantum")}});
    if (is_in_mesh(status)) result.back()["path"] = object_of(peer, "path");
  }
  return dump(result);
}

Result<std::string> peers_table(std::string_view answer) {
  const JsonValue status = TRY(parse_status(answer));
  std::vector<std::vector<std::string>> rows = {{"NAME", "ADDRESS", "POST-QUANTUM"}};
  for (const JsonValue& peer : list_of(status, "peers")) {
    if (!peer.is_object()) continue;
    const auto addresses = texts_of(peer, "addresses");
    rows.push_back({or_nothing(text_of(peer, "name")),
                    addresses.empty() ? kNothing : addresses.front(),
                    flag_of(peer, "post_quantum") ? "yes" : "no"});
  }
  return fit_columns(rows);
}

}  // namespace trellis::apps
