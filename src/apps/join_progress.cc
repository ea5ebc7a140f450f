#include "apps/join_progress.h"

#include "apps/network_lines.h"

#include <fmt/format.h>

namespace trellis::apps {
namespace {

constexpr const char* kEraseLine = "\r\x1b[K";

std::string time_text(double milliseconds) {
  return milliseconds < 10'000 ? fmt::format("{:.0f} ms", milliseconds)
                               : fmt::format("{:.1f} s", milliseconds / 1000);
}

std::string step_line(const JsonValue& step) {
  const std::string state = text_of(step, "state");
  std::string line = fmt::format("  {:<12} ", text_of(step, "name"));
  if (state == "done") {
    line += fmt::format("{:>8}", time_text(number_of(step, "milliseconds").value_or(0)));
  } else {
    line += fmt::format("{:>8}", state == "failed" ? "failed" : "...");
  }
  const std::string detail = text_of(step, "detail");
  return detail.empty() ? line : line + "  " + detail;
}

/// The error of the network, else that of the line to the server.
std::string error_of(const JsonValue& network) {
  const std::string error = text_of(network, "error");
  return error.empty() ? text_of(object_of(network, "server"), "error") : error;
}

}  // namespace

std::string JoinProgress::step_lines(const JsonValue& steps) {
  std::string text;
  std::string running;
  std::size_t number = 0;
  for (const JsonValue& step : steps) {
    if (!step.is_object()) continue;
    ++number;
    if (number <= steps_shown_) continue;
    if (text_of(step, "state") == "done") {
      text += step_line(step) + "\n";
      steps_shown_ = number;
    } else {
      running = step_line(step);
      break;
    }
  }
  if (output_ == Output::Lines || (text.empty() && running == running_line_)) return text;
  running_line_ = running;
  return kEraseLine + text + running;
}

std::string JoinProgress::error_line(const std::string& error) {
  if (error.empty() || error == last_error_) return {};
  last_error_ = error;
  if (output_ == Output::Lines) return "  " + error + "; trying again\n";
  return fmt::format("{}  {}; trying again\n{}", kEraseLine, error, running_line_);
}

JoinProgress::Update JoinProgress::observe(const JsonValue& status) {
  const JsonValue& network = object_of(status, "network");
  const std::string state = text_of(network, "state");
  Update update;
  update.text = step_lines(list_of(network, "steps"));
  if (state == "up") {
    update.verdict = Verdict::Joined;
  } else if (state == "refused") {
    update.verdict = Verdict::Refused;
    update.why = error_of(network);
    if (update.why.empty()) update.why = "the server refused, and did not say why";
  } else if (state == "offline" && !error_of(network).empty()) {
    update.verdict = Verdict::Offline;
    update.why = error_of(network);
  } else {
    update.text += error_line(error_of(network));
    return update;
  }
  if (!running_line_.empty()) update.text += kEraseLine;
  if (update.verdict == Verdict::Joined) {
    for (const std::string& text : transfer_texts(network)) {
      update.text += fmt::format("  {:<12}  {}\n", "keys go on", text);
    }
  }
  running_line_.clear();
  return update;
}

}  // namespace trellis::apps
