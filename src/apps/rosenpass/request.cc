#include "apps/rosenpass/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace trellis::rosenpass_program {
namespace {

using Command = Request::Command;

constexpr std::array<std::pair<std::string_view, Command>, 7> kCommands = {{
    {"exchange-config", Command::ExchangeConfig},
    {"exchange", Command::Exchange},
    {"gen-config", Command::GenConfig},
    {"gen-keys", Command::GenKeys},
    {"validate", Command::Validate},
    {"man", Command::Man},
    {"help", Command::Help},
}};

tl::unexpected<Error> usage(const std::string& what, const std::string& topic = {}) {
  return fail_with(
      fmt::format("{}; see `trellis-rosenpass help{}{}`", what, topic.empty() ? "" : " ", topic));
}

/// One word after the other; what stands behind an option may be in the same word ("--x=y").
class Scanner {
 public:
  explicit Scanner(const std::vector<std::string>& words) : words_(words) {}

  bool at_end() const { return next_ == words_.size(); }
  const std::string& peek() const { return words_[next_]; }
  std::string take() { return words_[next_++]; }
  std::vector<std::string> rest() const {
    return {words_.begin() + static_cast<std::ptrdiff_t>(next_), words_.end()};
  }

  /// Whether the next word is this option; takes it and its value.
  Result<bool> option(std::string_view shorter, std::string_view longer, std::string& value) {
    const std::string& word = peek();
    const std::string with_value = std::string(longer) + "=";
    if (word.starts_with(with_value)) {
      value = take().substr(with_value.size());
      return true;
    }
    if (word != longer && (shorter.empty() || word != shorter)) return false;
    const std::string name = take();
    if (at_end()) return usage(fmt::format("{} wants a value", name));
    value = take();
    return true;
  }
  bool flag(std::string_view shorter, std::string_view longer) {
    if (peek() != shorter && peek() != longer) return false;
    ++next_;
    return true;
  }

 private:
  const std::vector<std::string>& words_;
  std::size_t next_ = 0;
};

Result<bool> take_max_load(Scanner& words, Request& request) {
  std::string text;
  if (!TRY(words.option("", "--max-load", text))) return false;
  int percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || percent < 1 || percent > 100'000) return usage("--max-load is a number from 1 on");
  request.max_load = percent;
  return true;
}

/// Options that stand anywhere before the words of the command.
Result<bool> take_common(Scanner& words, Request& request) {
  if (words.flag("-v", "--verbose")) {
    request.log_level = "info";
    return true;
  }
  if (words.flag("-q", "--quiet")) {
    request.log_level = "error";
    return true;
  }
  if (TRY(words.option("", "--log-level", request.log_level))) return true;
  return take_max_load(words, request);
}

Result<bool> take_form(Scanner& words, Request& request) {
  std::string form;
  if (!TRY(words.option("", "--format", form))) return false;
  if (form != "rust" && form != "go") return usage("--format is rust or go", "gen-keys");
  request.form = form == "go" ? SecretForm::Go : SecretForm::Rust;
  return true;
}

Result<bool> take_option(Scanner& words, Request& request, const std::string& topic) {
  if (TRY(take_common(words, request))) return true;
  if (words.flag("-h", "--help")) {
    request.command = Command::Help;
    request.topic = topic;
    return true;
  }
  switch (request.command) {
    case Command::Exchange:
      return words.option("-c", "--config-file", request.config_file);
    case Command::GenKeys:
      if (TRY(words.option("-p", "--public-key", request.public_key))) return true;
      if (TRY(words.option("-s", "--secret-key", request.secret_key))) return true;
      if (TRY(take_form(words, request))) return true;
      [[fallthrough]];
    case Command::GenConfig:
      request.force = request.force || words.peek() == "-f" || words.peek() == "--force";
      return words.flag("-f", "--force");
    case Command::Help:
    case Command::Version:
    case Command::Man:
    case Command::ExchangeConfig:
    case Command::Validate:
    case Command::RpGenkey:
    case Command::RpPubkey:
    case Command::RpExchange:
      return false;
  }
  return false;
}

Result<> check_count(const Request& request, const std::string& topic) {
  const std::size_t count = request.words.size();
  switch (request.command) {
    case Command::ExchangeConfig:
    case Command::GenConfig:
      if (count == 1) return {};
      return usage("it wants one configuration file", topic);
    case Command::GenKeys:
      if (count <= 1) return {};
      return usage("it takes one configuration file at most", topic);
    case Command::Exchange:
      if (count > 0) return {};
      return usage("it wants words that name keys", topic);
    case Command::Validate:
      if (count > 0) return {};
      return usage("it wants configuration files", topic);
    case Command::Man:
      if (count == 0) return {};
      return usage("it takes no words", topic);
    case Command::Help:
    case Command::Version:
    case Command::RpGenkey:
    case Command::RpPubkey:
    case Command::RpExchange:
      return {};
  }
  return {};
}

Result<Request> parse_rp(Request request, Scanner& words) {
  while (!words.at_end() && (words.peek() == "verbose" || TRY(take_common(words, request)))) {
    if (!words.at_end() && words.peek() == "verbose") {
      words.take();
      request.log_level = "info";
    }
  }
  if (words.at_end() || words.peek() == "help" || words.flag("-h", "--help")) {
    request.topic = "rp";
    return request;
  }
  const std::string name = words.take();
  request.words = words.rest();
  if (name == "genkey") {
    request.command = Command::RpGenkey;
    if (request.words.size() != 1) return usage("`rp genkey` wants one folder", "rp");
  } else if (name == "pubkey") {
    request.command = Command::RpPubkey;
    if (request.words.size() != 2) return usage("`rp pubkey` wants two folders", "rp");
  } else if (name == "exchange") {
    request.command = Command::RpExchange;
    if (request.words.empty()) return usage("`rp exchange` wants a private folder", "rp");
  } else {
    return usage(fmt::format("`rp` has no command \"{}\"", name), "rp");
  }
  return request;
}

/// "keygen private-key F public-key F": the old form of gen-keys.
Result<Request> parse_keygen(Request request, Scanner& words) {
  request.command = Command::GenKeys;
  while (!words.at_end()) {
    const std::string keyword = words.take();
    if (words.at_end()) return usage(fmt::format("`{}` wants a file", keyword), "keygen");
    if (keyword == "public-key") {
      request.public_key = words.take();
    } else if (keyword == "private-key" || keyword == "secret-key") {
      request.secret_key = words.take();
    } else {
      return usage(fmt::format("\"{}\" is not known here", keyword), "keygen");
    }
  }
  return request;
}

}  // namespace

Result<Request> parse_request(const std::vector<std::string>& list) {
  Scanner words(list);
  Request request;
  while (!words.at_end() && words.peek().starts_with('-')) {
    if (words.flag("-h", "--help")) return request;
    if (words.flag("-V", "--version")) {
      request.command = Command::Version;
      return request;
    }
    if (!TRY(take_common(words, request))) {
      return usage(fmt::format("there is no option {}", words.peek()));
    }
  }
  if (words.at_end()) return usage("a command is missing");
  const std::string name = words.take();
  if (name == "rp") return parse_rp(std::move(request), words);
  if (name == "keygen") return parse_keygen(std::move(request), words);
  const auto* known =
      std::ranges::find(kCommands, name, &std::pair<std::string_view, Command>::first);
  if (known == kCommands.end()) return usage(fmt::format("there is no command \"{}\"", name));
  request.command = known->second;
  if (request.command == Command::Help) {
    if (!words.at_end()) request.topic = words.take();
    return request;
  }
  while (!words.at_end()) {
    if (words.peek().starts_with('-') && words.peek().size() > 1) {
      if (!TRY(take_option(words, request, name))) {
        return usage(fmt::format("there is no option {}", words.peek()), name);
      }
      if (request.command == Command::Help) return request;
    } else if (request.command == Command::Exchange) {
      request.words = words.rest();  // which may hold words for `wg` that look like options
      break;
    } else {
      request.words.push_back(words.take());
    }
  }
  TRY(check_count(request, name));
  return request;
}

}  // namespace trellis::rosenpass_program
