#include "apps/ping_command.h"

#include "apps/humanise.h"
#include "apps/network_lines.h"
#include "system/clock.h"
#include "system/echo_socket.h"
#include "system/ipc.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <thread>

namespace trellis::apps {
namespace {

constexpr Duration kAnswerTime = 10s;
constexpr Duration kEchoTime = 1s;

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

Result<JsonValue> status_of(const std::string& socket) {
  const std::string answer = TRY(system::ipc_call(socket, R"({"command":"status"})", kAnswerTime));
  return parse_status(answer);
}

const JsonValue& peer_of(const JsonValue& status, const std::string& name) {
  static const JsonValue kNone = JsonValue::object();
  for (const JsonValue& peer : list_of(status, "peers")) {
    if (peer.is_object() && text_of(peer, "name") == name) return peer;
  }
  return kNone;
}

bool is_called(const JsonValue& peer, const std::string& wanted) {
  if (lower_case(text_of(peer, "name")) == wanted) return true;
  const std::string full = lower_case(text_of(peer, "fqdn"));
  if (!full.empty() && (full == wanted || full + "." == wanted)) return true;
  const auto address = IpAddress::parse(wanted);
  const auto addresses = texts_of(peer, "addresses");
  return address && std::any_of(addresses.begin(), addresses.end(), [&](const std::string& text) {
           return IpAddress::parse(text) == address;
         });
}

std::string protection_text(const JsonValue& peer) {
  if (flag_of(peer, "post_quantum")) return "post-quantum";
  return text_of(peer, "protection") == "plain" ? "NOT post-quantum" : "no session";
}

/// What is known after all pings.
struct Tally {
  unsigned sent = 0;
  std::vector<double> times;  // milliseconds
  JsonValue answers = JsonValue::array();
};

void note_answer(Tally& tally, const PingTarget& target, const JsonValue& status,
                 double milliseconds, Form form) {
  tally.times.push_back(milliseconds);
  const JsonValue& peer = peer_of(status, target.name);
  tally.answers.push_back({{"sequence", tally.sent},
                           {"milliseconds", milliseconds},
                           {"path", object_of(peer, "path")},
                           {"post_quantum", flag_of(peer, "post_quantum")}});
  if (form == Form::Json) return;
  std::fputs(ping_line(target, status, milliseconds).c_str(), stdout);
  std::fflush(stdout);
}

void print_tally(const Tally& tally, const PingTarget& target, Form form) {
  if (form == Form::Json) {
    std::fputs(dump({{"peer", target.name},
                     {"address", target.address.to_string()},
                     {"sent", tally.sent},
                     {"received", tally.times.size()},
                     {"answers", tally.answers}})
                   .c_str(),
               stdout);
    return;
  }
  std::string line = fmt::format("{} sent, {} answered", tally.sent, tally.times.size());
  if (!tally.times.empty()) {
    std::vector<double> sorted = tally.times;
    std::sort(sorted.begin(), sorted.end());
    line += fmt::format("; {:.2f} ms at best, {:.2f} in the middle, {:.2f} at worst",
                        sorted.front(), sorted[sorted.size() / 2], sorted.back());
  }
  fmt::print("{}\n", line);
}

/// The time until the answer to this request; later answers to earlier ones are not counted.
Result<std::optional<Duration>> echo(system::EchoSocket& socket, std::uint16_t sequence) {
  const TimePoint sent = system::boot_now();
  TRY(socket.send(sequence));
  while (true) {
    const auto answer = TRY(socket.receive(sent + kEchoTime));
    if (!answer) return std::nullopt;
    if (answer->sequence == sequence) return answer->arrived - sent;
  }
}

}  // namespace

Result<PingTarget> find_ping_target(const JsonValue& status, const std::string& peer, bool v6) {
  std::vector<std::string> known;
  const std::string wanted = lower_case(peer);
  for (const JsonValue& candidate : list_of(status, "peers")) {
    if (!candidate.is_object()) continue;
    known.push_back(text_of(candidate, "name"));
    if (!is_called(candidate, wanted)) continue;
    for (const std::string& text : texts_of(candidate, "addresses")) {
      const auto address = IpAddress::parse(text);
      if (address && address->is_v6() == (v6 || wanted.find(':') != std::string::npos)) {
        return PingTarget{known.back(), *address};
      }
    }
    return fail_with(fmt::format("{} has no {} address", known.back(), v6 ? "IPv6" : "IPv4"));
  }
  const std::string meant = nearest(wanted, known);
  return fail_with(fmt::format("there is no peer \"{}\"{}; `trellis peers` lists them", peer,
                               meant.empty() ? "" : fmt::format(": did you mean \"{}\"?", meant)));
}

std::string ping_line(const PingTarget& target, const JsonValue& status, double milliseconds) {
  const JsonValue& peer = peer_of(status, target.name);
  const JsonValue& path = object_of(peer, "path");
  std::string way = text_of(path, "kind");
  const std::string address = text_of(path, "address");
  way += (way.empty() || address.empty() ? "" : " ") + address;
  if (way.empty()) way = text_of(peer, "endpoint");
  return fmt::format("{} {}: {:.2f} ms, {}{}{}\n", target.name, target.address.to_string(),
                     milliseconds, way, way.empty() ? "" : ", ", protection_text(peer));
}

Result<> ping_peer(const std::string& socket, const MeshRequest& request, Form form) {
  const JsonValue before = TRY(status_of(socket));
  const PingTarget target = TRY(find_ping_target(before, request.peer, request.v6));
  auto echoes = TRY(system::EchoSocket::open(target.address));
  const auto interval =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(request.interval_seconds));
  Tally tally;
  while (tally.sent < request.count) {
    const TimePoint began = system::boot_now();
    ++tally.sent;
    const auto took = TRY(echo(echoes, static_cast<std::uint16_t>(tally.sent)));
    if (took) {
      const double milliseconds = std::chrono::duration<double, std::milli>(*took).count();
      const JsonValue status = TRY(status_of(socket));
      note_answer(tally, target, status, milliseconds, form);
    } else if (form == Form::Text) {
      fmt::print("{} {}: no answer\n", target.name, target.address.to_string());
      std::fflush(stdout);
    }
    if (tally.sent < request.count) {
      std::this_thread::sleep_for(began + interval - system::boot_now());
    }
  }
  print_tally(tally, target, form);
  if (!tally.times.empty()) return {};
  const JsonValue after = TRY(status_of(socket));
  const std::string why = text_of(peer_of(after, target.name), "why_not");
  return fail_with(fmt::format("{} did not answer{}", target.name, why.empty() ? "" : ": " + why));
}

}  // namespace trellis::apps
