#include "apps/network_lines.h"

#include "apps/humanise.h"

#include <fmt/format.h>

#include <cmath>

namespace trellis::apps {
namespace {

std::string labelled(const char* label, const std::string& text) {
  return fmt::format("{:<8} {}\n", label, text);
}

/// ", for 5s".
std::string since(const JsonValue& part) {
  const auto seconds = number_of(part, "since_seconds");
  return seconds ? " for " + human_seconds(*seconds) : "";
}

std::string network_line(const JsonValue& network) {
  const std::string state = text_of(network, "state");
  if (state == "down") {
    const bool known = !text_of(object_of(network, "server"), "url").empty();
    return labelled("network", known ? "down: `trellis up` brings it up again"
                                     : "none: `trellis up --server URL` joins one");
  }
  std::string line = state.empty() ? "-" : state;
  const std::string domain = text_of(network, "domain");
  if (!domain.empty()) line += ", " + domain;
  if (const auto serial = count_of(network, "serial")) line += fmt::format(", map {}", serial);
  return labelled("network", line);
}

std::string server_line(const JsonValue& server) {
  // Without the fingerprint, which is for machines.
  const std::string join_line = text_of(server, "url");
  const std::string url = join_line.substr(0, join_line.find('#'));
  const std::string state = text_of(server, "state");
  if (url.empty() && state.empty()) return {};
  std::string line = url + (url.empty() || state.empty() ? "" : ", ") + state + since(server);
  const std::string tls = text_of(server, "tls");
  if (!tls.empty()) line += ", " + tls;
  if (const auto next = number_of(server, "next_try_seconds")) {
    line += ", next try in " + human_seconds(std::ceil(*next));
  }
  const std::string error = text_of(server, "error");
  return labelled("server", line) + (error.empty() ? "" : labelled("", error));
}

std::string signal_line(const JsonValue& signal) {
  const std::string state = text_of(signal, "state");
  if (state.empty()) return {};
  const std::string error = text_of(signal, "error");
  return labelled("signal", state + since(signal)) + (error.empty() ? "" : labelled("", error));
}

int percent(std::uint64_t bytes, std::uint64_t total) {
  if (total == 0) return 0;
  return static_cast<int>(100.0 * static_cast<double>(bytes) / static_cast<double>(total));
}

std::string key_lines(const JsonValue& network) {
  std::string lines;
  for (const std::string& text : transfer_texts(network)) {
    lines += labelled(lines.empty() ? "keys" : "", text);
  }
  return lines;
}

}  // namespace

std::vector<std::string> transfer_texts(const JsonValue& network) {
  const JsonValue& keys = object_of(network, "keys");
  const JsonValue& upload = object_of(keys, "upload");
  std::string error = text_of(upload, "error");
  std::string text;
  if (!upload.empty()) {
    text = fmt::format("ours to the server {} %",
                       percent(count_of(upload, "bytes"), count_of(upload, "total")));
  }
  std::uint64_t bytes = 0;
  std::uint64_t total = 0;
  const JsonValue& fetches = list_of(keys, "fetches");
  for (const JsonValue& fetch : fetches) {
    bytes += count_of(fetch, "bytes");
    total += count_of(fetch, "total");
    if (error.empty()) error = text_of(fetch, "error");
  }
  if (!fetches.empty()) {
    text += fmt::format("{}{} of peers from there, {} %", text.empty() ? "" : "; ", fetches.size(),
                        percent(bytes, total));
  }
  if (text.empty()) return {};
  return error.empty() ? std::vector{text} : std::vector{text, error};
}

bool is_in_mesh(const JsonValue& status) { return !object_of(status, "network").empty(); }

bool is_up(const JsonValue& status) {
  return text_of(object_of(status, "network"), "state") == "up";
}

std::string network_lines(const JsonValue& status) {
  const JsonValue& network = object_of(status, "network");
  if (network.empty()) return {};
  std::string lines = network_line(network);
  const std::string error = text_of(network, "error");
  if (!error.empty()) lines += labelled("", error);
  return lines + server_line(object_of(network, "server")) +
         signal_line(object_of(network, "signal")) + key_lines(network);
}

std::string path_text(const JsonValue& peer) {
  const JsonValue& path = object_of(peer, "path");
  const std::string address = text_of(path, "address");
  if (address.empty()) return "-";
  std::string text = text_of(path, "kind");
  text += (text.empty() ? "" : " ") + address;
  if (const auto rtt = number_of(path, "rtt_milliseconds"))
    text += fmt::format(", {:.1f} ms", *rtt);
  return text;
}

}  // namespace trellis::apps
