#include "apps/rosenpass/commands.h"

#include "apps/rosenpass/config.h"
#include "crypto/kem.h"
#include "system/random.h"
#include "system/secure_file.h"

#include <fmt/format.h>

#include <string_view>

namespace trellis::rosenpass_program {
namespace {

constexpr std::size_t kConfigBytesMax = 1 << 20;

std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<ParsedConfig> load_config(const std::string& path) {
  const ByteVector bytes = TRY(system::read_file(path, kConfigBytesMax));
  auto parsed = parse_config(text_of(bytes));
  if (!parsed) return fail(std::move(parsed).error().within(path));
  return parsed;
}

Result<> gen_config(const Request& request) {
  const std::string& path = request.words.front();
  if (!request.force && system::file_exists(path)) {
    return fail_with(fmt::format("{} is there already: use --force to overwrite it", path));
  }
  return system::write_file_atomically(path, as_bytes(example_config()), 0644);
}

Result<std::string> gen_keys(const Request& request) {
  KeyPaths paths{request.public_key, request.secret_key};
  if (!request.words.empty()) {
    const Config config = TRY(load_config(request.words.front())).config;
    if (paths.public_key.empty()) paths.public_key = config.public_key;
    if (paths.secret_key.empty()) paths.secret_key = config.secret_key;
  }
  if (paths.public_key.empty() || paths.secret_key.empty()) {
    return fail_with("name a configuration file, or both --public-key and --secret-key");
  }
  system::SystemRandom random;
  TRY(generate_key_files(paths, request.form,
                         request.force ? Existing::Overwrite : Existing::Refuse, random));
  return fmt::format("made {} (to give to peers) and {} (keep it secret)", paths.public_key,
                     paths.secret_key);
}

Validation validate(const Request& request) {
  Validation result;
  system::SystemRandom random;
  for (const std::string& path : request.words) {
    const auto note = [&](const std::string& text) {
      result.lines.push_back(fmt::format("{}: {}", path, text));
    };
    const auto wrong = [&](const Error& error) {
      result.in_order = false;
      note(error.message);
    };
    const auto parsed = load_config(path);
    if (!parsed) {
      result.in_order = false;
      result.lines.push_back(parsed.error().message);
      continue;
    }
    for (const std::string& warning : parsed->warnings) note(warning);
    const bool was_in_order = std::exchange(result.in_order, true);
    const Config& config = parsed->config;
    const auto own = load_own_keys({config.public_key, config.secret_key}, random);
    if (!own) wrong(own.error());
    if (own) {
      for (const std::string& warning : own->warnings) note(warning);
    }
    for (const PeerSection& peer : config.peers) {
      if (const auto key = load_public_key(peer.public_key); !key) wrong(key.error());
      if (peer.pre_shared_key.empty()) continue;
      if (const auto psk = load_psk(peer.pre_shared_key); !psk) wrong(psk.error());
    }
    if (result.in_order) note("it is in order");
    result.in_order = result.in_order && was_in_order;
  }
  return result;
}

}  // namespace trellis::rosenpass_program
