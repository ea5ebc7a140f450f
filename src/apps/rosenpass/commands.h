#pragma once

#include "apps/rosenpass/config.h"
#include "apps/rosenpass/key_files.h"
#include "base/result.h"

#include <string>
#include <vector>

namespace trellis::rosenpass_program {

/// A command line of `rosenpass`, read.
struct Request {
  enum class Command {
    Help,
    Version,
    Man,
    ExchangeConfig,
    Exchange,
    GenConfig,
    GenKeys,
    Validate,
    RpGenkey,
    RpPubkey,
    RpExchange,
  };
  Command command = Command::Help;
  std::string topic;               // of Help: a command, or nothing
  std::vector<std::string> words;  // that are no options, behind the command
  std::string config_file;         // exchange -c
  std::string public_key;          // gen-keys -p
  std::string secret_key;          // gen-keys -s
  bool force = false;              // -f
  SecretForm form = SecretForm::Rust;
  std::string log_level;  // --log-level, -v, -q; nothing: as the configuration says
  double max_load = 10;   // percent of a core that strangers may cost
};

/// `words` are those behind the program's name. The error says what is wrong and where help is.
Result<Request> parse_request(const std::vector<std::string>& words);

/// What `help` prints, of one command or of all.
std::string help_text(const std::string& topic);

// What the commands do that end by themselves. Each returns what to print.
Result<> gen_config(const Request& request);
Result<std::string> gen_keys(const Request& request);
/// Reads each configuration and all files that it names. Its lines tell of each file; an error if
/// one is not in order.
struct Validation {
  std::vector<std::string> lines;
  bool in_order = true;
};
Validation validate(const Request& request);

/// A configuration file, with its name in the error.
Result<ParsedConfig> load_config(const std::string& path);

}  // namespace trellis::rosenpass_program
